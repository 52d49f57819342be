// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Host
import Novm

/// What the handles of this program stand for: all the state that the library has.
final class Handles: @unchecked Sendable {
  static let all = Handles()

  private let lock = Lock()
  private var values: [UInt64: AnyObject] = [:]
  private var count: UInt64 = 0

  /// A number that was given to nobody before, and that looks like no pointer or counter.
  func add(_ value: AnyObject) -> novm_handle {
    lock.withLock {
      count &+= 1
      // Odd, so no two counts give the same product.
      let handle = count &* 0x9e37_79b9_7f4a_7c15
      values[handle] = value
      return handle
    }
  }

  func value<Value: AnyObject>(_ handle: novm_handle, _ type: Value.Type) throws(Failure) -> Value {
    let found = lock.withLock { values[handle] }
    guard let value = found as? Value else { throw Self.fault(handle, found) }
    return value
  }

  /// What it stood for ends outside of the lock.
  func remove(_ handle: novm_handle) throws(Failure) {
    let removed = lock.withLock { values.removeValue(forKey: handle) }
    if removed == nil { throw Self.fault(handle, nil) }
    // Else they would go on for as long as another thread waits for them.
    (removed as? RunningCommand)?.cancel()
    (removed as? Pool)?.close()
  }

  private static func fault(_ handle: novm_handle, _ found: AnyObject?) -> Failure {
    let number = "0x" + String(handle, radix: 16)
    return Failure(
      .handle,
      found == nil ? "\(number) is no handle, or one that was closed" : "\(number) is a handle of something else",
      about: number)
  }
}

@c @implementation
public func novm_close(_ handle: novm_handle, _ error: UnsafeMutablePointer<novm_error>?) -> novm_status {
  call(error) { () throws(Failure) in try Handles.all.remove(handle) }
}

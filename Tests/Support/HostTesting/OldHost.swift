import CHostTesting
import Foundation

/// A host without some system call, as far as one thread can tell.
package enum OldHost {
  /// fchmodat2(2), which Linux has since 6.6, and containers' seccomp profiles often do not know.
  package static let fchmodat2: UInt32 = 452

  package struct Refused: Error {
    let errno: Int32
  }

  /// Runs `body` on a thread for which the call is not implemented.
  package static func without<Result: Sendable>(
    _ call: UInt32, _ body: @escaping @Sendable () throws -> Result
  ) throws -> Result {
    let box = Box<Result>()
    let thread = Foundation.Thread {
      let isLost = host_testing_lose_call(call) == 0
      box.result = isLost ? Swift.Result { try body() } : .failure(Refused(errno: errno))
      box.done.signal()
    }
    thread.stackSize = 8 << 20
    thread.start()
    box.done.wait()
    return try box.result!.get()
  }

  private final class Box<Result>: @unchecked Sendable {
    let done = DispatchSemaphore(value: 0)
    var result: Swift.Result<Result, any Error>?
  }
}

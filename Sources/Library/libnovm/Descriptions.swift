// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Host
import Novm
import NovmKit

/// Unchecked: the value is used with the lock held.
final class DescriptionHandle: @unchecked Sendable {
  private let lock = Lock()
  private var value = Description()

  var description: Description { lock.withLock { value } }

  func change(_ body: (inout Description) throws(Failure) -> Void) throws(Failure) {
    try lock.withLock { () throws(Failure) in try body(&value) }
  }
}

@c @implementation
public func novm_description_new(
  _ description: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try required(description, "description").pointee = Handles.all.add(DescriptionHandle())
  }
}

@c @implementation
public func novm_description_set(
  _ description: novm_handle, _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<CChar>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let name = try text(name, "name")
    let value = ByteString.string(try bytes(value, "value"))
    try Handles.all.value(description, DescriptionHandle.self).change { (description) throws(Failure) in
      try description.set(name, value)
    }
  }
}

@c @implementation
public func novm_description_parse(
  _ description: novm_handle, _ text: UnsafePointer<CChar>?, _ length: Int,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    guard let text, (0...1 << 20).contains(length) else {
      throw Failure(.argument, "text is NULL, or too large for a description", about: "text")
    }
    let bytes = Array(UnsafeRawBufferPointer(start: text, count: length))
    try Handles.all.value(description, DescriptionHandle.self).change { (description) throws(Failure) in
      try description.parse(bytes)
    }
  }
}

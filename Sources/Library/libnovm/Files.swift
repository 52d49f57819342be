// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Glibc
import Novm

@c @implementation
public func novm_files_copy_in(
  _ machine: novm_handle, _ host: UnsafePointer<CChar>?, _ guest: UnsafePointer<CChar>?, _ timeout: Int64,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try libnovm.machine(machine).copyIn(
      bytes(host, "host"), to: bytes(guest, "guest"), patience: patience(timeout))
  }
}

@c @implementation
public func novm_files_copy_out(
  _ machine: novm_handle, _ guest: UnsafePointer<CChar>?, _ host: UnsafePointer<CChar>?, _ timeout: Int64,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try libnovm.machine(machine).copyOut(
      bytes(guest, "guest"), to: bytes(host, "host"), patience: patience(timeout))
  }
}

@c @implementation
public func novm_files_write(
  _ machine: novm_handle, _ guest: UnsafePointer<CChar>?, _ data: UnsafeRawPointer?, _ length: Int, _ mode: UInt32,
  _ timeout: Int64, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    guard length == 0 || (data != nil && length > 0) else { throw Failure(.argument, "data is NULL", about: "data") }
    let machine = try libnovm.machine(machine)
    let path = try bytes(guest, "guest")
    try machine.write(
      Array(UnsafeRawBufferPointer(start: data, count: length)), to: path, mode: mode, patience: patience(timeout))
  }
}

@c @implementation
public func novm_files_read(
  _ machine: novm_handle, _ guest: UnsafePointer<CChar>?, _ limit: Int, _ timeout: Int64,
  _ data: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ length: UnsafeMutablePointer<Int>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let (result, count) = (try required(data, "data"), try required(length, "length"))
    let content = try libnovm.machine(machine).read(
      // More than an Int holds comes as a negative one, and is no limit.
      bytes(guest, "guest"), limit: limit < 0 ? .max : limit, patience: patience(timeout))
    guard let memory = malloc(content.count + 1) else { throw Failure(.system, "no memory", number: ENOMEM) }
    memory.copyMemory(from: content + [0], byteCount: content.count + 1)
    result.pointee = memory
    count.pointee = content.count
  }
}

// The names are those of C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CNovm
import Glibc
import Novm

/// The command that C describes.
private func command(_ options: novm_command_options) throws(Failure) -> Command {
  guard options.size == MemoryLayout<novm_command_options>.size else {
    throw Failure(.argument, "options: begin with NOVM_COMMAND_OPTIONS, which says their size", about: "options")
  }
  let isSet = try isSet(options.flags)
  var command = Command(try words(options.arguments, "arguments"))
  command.environment = try words(options.environment, "environment")
  if options.directory != nil { command.directory = try bytes(options.directory, "directory") }
  if options.user != nil {
    command.user = try bytes(options.user, "user")
    // Which the guest would take for root.
    if command.user.isEmpty { throw Failure(.argument, "user: '' names nobody", about: "user") }
  }
  switch options.input {
  case Int32(NOVM_STREAM_NOTHING): command.input = .nothing
  case Int32(NOVM_STREAM_MEMORY):
    guard options.input_length == 0 || options.input_data != nil, let length = Int(exactly: options.input_length) else {
      throw Failure(.argument, "input_data is NULL", about: "input_data")
    }
    command.input = .bytes(Array(UnsafeRawBufferPointer(start: options.input_data, count: length)))
  case let descriptor: command.input = .descriptor(descriptor)
  }
  let limit = options.output_limit == 0 ? 64 << 20 : Int(clamping: options.output_limit)
  command.output = stream(options.output, limit)
  command.error = stream(options.error, limit)
  if isSet { command.terminal = Command.Terminal(rows: options.rows, columns: options.columns) }
  guard options.timeout >= 0 else { throw Failure(.argument, "timeout: is 0 or more", about: "timeout") }
  if options.timeout > 0 { command.limit = .milliseconds(Int64(options.timeout)) }
  return command
}

private func stream(_ number: Int32, _ limit: Int) -> Command.Output {
  switch number {
  case Int32(NOVM_STREAM_NOTHING): .nothing
  case Int32(NOVM_STREAM_MEMORY): .collected(limit: limit)
  default: .descriptor(number)
  }
}

@c @implementation
public func novm_command_start(
  _ machine: novm_handle, _ options: UnsafePointer<novm_command_options>?,
  _ command: UnsafeMutablePointer<novm_handle>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(command, "command")
    guard let options else { throw Failure(.argument, "options is NULL", about: "options") }
    let machine = try libnovm.machine(machine)
    result.pointee = Handles.all.add(try machine.run(libnovm.command(options.pointee)))
  }
}

@c @implementation
public func novm_command_wait(
  _ command: novm_handle, _ timeout: Int64, _ exit_status: UnsafeMutablePointer<Int32>?,
  _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let status = try Handles.all.value(command, RunningCommand.self).wait(patience(timeout))
    exit_status?.pointee = status
  }
}

@c @implementation
public func novm_command_descriptor(
  _ command: novm_handle, _ descriptor: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try required(descriptor, "descriptor").pointee = try Handles.all.value(command, RunningCommand.self).descriptor
  }
}

@c @implementation
public func novm_command_signal(
  _ command: novm_handle, _ number: Int32, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in try Handles.all.value(command, RunningCommand.self).signal(number) }
}

@c @implementation
public func novm_command_resize(
  _ command: novm_handle, _ rows: UInt16, _ columns: UInt16, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    try Handles.all.value(command, RunningCommand.self).resize(Command.Terminal(rows: rows, columns: columns))
  }
}

@c @implementation
public func novm_command_output(
  _ command: novm_handle, _ stream: Int32, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int,
  _ count: UnsafeMutablePointer<Int>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(count, "count")
    guard stream == 1 || stream == 2 else { throw Failure(.argument, "stream: 1 or 2", about: "stream") }
    guard capacity == 0 || buffer != nil else { throw Failure(.argument, "buffer is NULL", about: "buffer") }
    // More than an Int holds comes as a negative one.
    let capacity = capacity < 0 ? .max : capacity
    let taken = try Handles.all.value(command, RunningCommand.self).take(capacity, ofError: stream == 2)
    if !taken.isEmpty { buffer?.copyMemory(from: taken, byteCount: taken.count) }
    result.pointee = taken.count
  }
}

@c @implementation
public func novm_command_truncated(
  _ command: novm_handle, _ truncated: UnsafeMutablePointer<Int32>?, _ error: UnsafeMutablePointer<novm_error>?
) -> novm_status {
  call(error) { () throws(Failure) in
    let result = try required(truncated, "truncated")
    result.pointee = try Handles.all.value(command, RunningCommand.self).isTruncated ? 1 : 0
  }
}

import FUSE
import Foundation

/// Writes down what the kernel asks, in the form that Fuzz/FUSEFuzz.swift reads, as a seed for it.
///
/// Node ids become numbers in the order in which the server gave nodes out, since another server gives out others. A session
/// that knows more nodes than such a number has room for, or asks for more than a seed should be long, is cut off there.
final class Recorder: @unchecked Sendable {
  private let lock = NSLock()
  private let path: String
  /// What replies have room for: enough.
  private var bytes: [UInt8] = [0]
  private var given: [UInt64] = [1]
  private var isFull = false

  private static let mostNodes = 200
  private static let mostBytes = 8 << 10
  private static let mostArguments = 1000

  init(_ path: String) { self.path = path }

  /// - Parameters:
  ///   - request: with its header of 40 bytes.
  ///   - reply: with its header of 16.
  func record(_ request: UnsafeRawBufferPointer, _ reply: UnsafeRawBufferPointer) {
    let opcode = request.load(fromByteOffset: 4, as: UInt32.self)
    guard opcode != Opcode.initialize.rawValue, opcode < 256 else { return }
    lock.withLock {
      if isFull { return }
      let id = request.load(fromByteOffset: 16, as: UInt64.self)
      var arguments = [UInt8](request.dropFirst(40))
      if opcode == Opcode.write.rawValue, arguments.count > Recorder.mostArguments {
        // Less data, and that said.
        arguments = Array(arguments.prefix(Recorder.mostArguments))
        store(UInt64(arguments.count - 40), 4, at: 16, in: &arguments)
      }
      if [Opcode.rename, .rename2, .link].contains(where: { $0.rawValue == opcode }), arguments.count >= 8 {
        let other = arguments[..<8].enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
        guard let number = number(other) else { return }
        // As the fuzzer knows a node's number from any other.
        store(UInt64(number) | 2 << 32, 8, at: 0, in: &arguments)
      }
      guard let number = number(id), arguments.count <= Recorder.mostArguments else { return }
      bytes += [UInt8(opcode), UInt8(number), UInt8(arguments.count & 255), UInt8(arguments.count >> 8)] + arguments
      remember(opcode, reply)
      isFull = bytes.count > Recorder.mostBytes || given.count >= Recorder.mostNodes
    }
  }

  private func number(_ id: UInt64) -> Int? { id == 0 ? 0 : given.lastIndex(of: id) }

  private func store(_ value: UInt64, _ count: Int, at offset: Int, in bytes: inout [UInt8]) {
    for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
  }

  private func remember(_ opcode: UInt32, _ reply: UnsafeRawBufferPointer) {
    let naming: [Opcode] = [.lookup, .symlink, .mknod, .mkdir, .link, .create, .tmpfile]
    guard naming.contains(where: { $0.rawValue == opcode }), reply.count >= 32,
      reply.load(fromByteOffset: 4, as: Int32.self) == 0
    else { return }
    given.append(reply.load(fromByteOffset: 16, as: UInt64.self))
  }

  func save() {
    lock.withLock { _ = FileManager.default.createFile(atPath: path, contents: Data(bytes)) }
  }
}

import Devices
import GuestMemory
import LittleEndian
import Testing
import VirtioTesting

@testable import TreeArchive

/// The server as a client in the guest sees it (linux/fuse.h).
@Suite struct TreeServerTests {
  private enum Opcode {
    static let lookup: UInt32 = 1
    static let getattr: UInt32 = 3
    static let readlink: UInt32 = 5
    static let mkdir: UInt32 = 9
    static let open: UInt32 = 14
    static let read: UInt32 = 15
    static let forget: UInt32 = 2
    static let readdir: UInt32 = 28
    static let initialize: UInt32 = 26
  }

  private let memory = FakeGuestMemory(size: 1 << 20)

  /// The reply's error and what follows its header; nil where there is no reply.
  private func ask(
    _ server: TreeServer, _ opcode: UInt32, node: UInt64 = 1, _ arguments: [UInt8], room: Int = 4096
  ) -> (error: Int32, bytes: [UInt8])? {
    var request = littleEndian(UInt32(40 + arguments.count)) + littleEndian(opcode) + littleEndian(UInt64(77))
    request += littleEndian(node) + [UInt8](repeating: 0, count: 16) + arguments
    guard let readable = try? memory.slice(at: 0, count: request.count),
      let writable = try? memory.slice(at: 0x8000, count: room)
    else {
      Issue.record("the test has too little memory")
      return nil
    }
    readable.copy(from: request)
    // In two pieces each.
    let count = server.serve(
      readable: [readable.dropping(0, count: 41), readable.dropping(41)],
      writable: [writable.dropping(0, count: 20), writable.dropping(20)])
    guard count > 0 else { return nil }
    let reply = writable.dropping(0, count: Int(count)).bytes()
    #expect(reply.prefix(4).elementsEqual(littleEndian(count)))
    #expect(reply[8..<16].elementsEqual(littleEndian(UInt64(77))))
    return ((try? writable.load(Int32.self, at: 4)) ?? 1, [UInt8](reply.dropFirst(16)))
  }

  private func withServer(_ body: (TreeServer) throws -> Void) throws {
    var builder = TarBuilder()
    builder.add("bin/", type: "5", mode: 0o755)
    builder.add("bin/tool", data: Array("0123456789".utf8), mode: 0o755)
    builder.add("bin/link", type: "2", target: "tool")
    builder.finish()
    try builder.bytes.withUnsafeBufferPointer {
      try body(TreeServer(ArchiveTree(ArchiveBytes($0))))
    }
  }

  private func number(_ bytes: [UInt8], at offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
  }

  private func lookup(_ server: TreeServer, _ name: String, in node: UInt64) -> UInt64 {
    guard let reply = ask(server, Opcode.lookup, node: node, Array(name.utf8) + [0]), reply.error == 0 else {
      return .max
    }
    return number(reply.bytes, at: 0)
  }

  private func readArguments(_ offset: UInt64, _ count: UInt32) -> [UInt8] {
    littleEndian(UInt64(0)) + littleEndian(offset) + littleEndian(count) + [UInt8](repeating: 0, count: 20)
  }

  @Test func filesAndLinks() throws {
    try withServer { server in
      let bin = lookup(server, "bin", in: 1)
      let tool = lookup(server, "tool", in: bin)
      #expect(lookup(server, "none", in: bin) == 0)
      #expect(ask(server, Opcode.lookup, node: tool, Array("x\0".utf8))?.error == -20)
      #expect(ask(server, Opcode.lookup, node: bin, Array("..\0".utf8))?.error == -22)
      let read = try #require(ask(server, Opcode.read, node: tool, readArguments(3, 4)))
      #expect(read.bytes == Array("3456".utf8))
      #expect(ask(server, Opcode.read, node: tool, readArguments(8, 100))?.bytes == Array("89".utf8))
      #expect(ask(server, Opcode.read, node: tool, readArguments(.max, 100))?.bytes == [])
      // No more than there is room for.
      #expect(ask(server, Opcode.read, node: tool, readArguments(0, 100), room: 19)?.bytes == Array("012".utf8))
      let link = lookup(server, "link", in: bin)
      #expect(ask(server, Opcode.readlink, node: link, [])?.bytes == Array("tool".utf8))
      #expect(ask(server, Opcode.readlink, node: tool, [])?.error == -22)
      #expect(ask(server, Opcode.read, node: bin, readArguments(0, 1))?.error == -22)
    }
  }

  @Test func nothingIsWritten() throws {
    try withServer { server in
      let bin = lookup(server, "bin", in: 1)
      let tool = lookup(server, "tool", in: bin)
      #expect(ask(server, Opcode.open, node: tool, littleEndian(UInt64(0)))?.error == 0)
      #expect(ask(server, Opcode.open, node: tool, littleEndian(UInt64(1)))?.error == -30)
      #expect(ask(server, Opcode.open, node: bin, littleEndian(UInt64(0)))?.error == -21)
      #expect(ask(server, Opcode.mkdir, node: bin, littleEndian(UInt64(0)) + Array("new\0".utf8))?.error == -30)
    }
  }

  @Test func directories() throws {
    try withServer { server in
      let bin = lookup(server, "bin", in: 1)
      var names: [String] = []
      var offset: UInt64 = 0
      // Room for one entry at a time.
      while true {
        let reply = try #require(ask(server, Opcode.readdir, node: bin, readArguments(offset, 32)))
        #expect(reply.error == 0)
        if reply.bytes.isEmpty { break }
        offset = number(reply.bytes, at: 8)
        let count = Int(number(reply.bytes, at: 16) & 0xffff_ffff)
        names.append(String(decoding: reply.bytes[24..<24 + count], as: UTF8.self))
      }
      #expect(names == [".", "..", "tool", "link"])
      #expect(ask(server, Opcode.readdir, node: bin, readArguments(.max, 4096))?.bytes == [])
      // The place of another directory's entry.
      #expect(ask(server, Opcode.readdir, node: bin, readArguments(2, 4096))?.error == -22)
    }
  }

  @Test func clientsThatLie() throws {
    try withServer { server in
      for node in [0, 5, .max] as [UInt64] {
        #expect(ask(server, Opcode.getattr, node: node, [UInt8](repeating: 0, count: 16))?.error == -116)
      }
      #expect(ask(server, 9999, [])?.error == -38)
      #expect(ask(server, Opcode.read, [1, 2, 3])?.error == -71)
      #expect(ask(server, Opcode.forget, littleEndian(UInt64(1))) == nil)
      // Too short to be a request, or for its reply.
      let short = try memory.slice(at: 0, count: 39)
      #expect(server.serve(readable: [short], writable: []) == 0)
      #expect(ask(server, Opcode.getattr, [UInt8](repeating: 0, count: 16), room: 15) == nil)
      let start = littleEndian(UInt32(7)) + littleEndian(UInt32(30)) + [UInt8](repeating: 0, count: 56)
      #expect(ask(server, Opcode.initialize, start)?.error == -71)
    }
  }
}

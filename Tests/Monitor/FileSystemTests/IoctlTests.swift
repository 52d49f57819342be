import FUSE
import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Flags of files by ioctl, as chattr(1) and lsattr(1) use them.
struct IoctlTests {
  let layers = Layers()

  private enum Command {
    static let getFlags: UInt32 = 0x8008_6601
    static let setFlags: UInt32 = 0x4008_6602
    static let getAttributes: UInt32 = 0x801c_581f
    static let setAttributes: UInt32 = 0x401c_5820
    static let getVersion: UInt32 = 0x8008_7601
  }

  private static let noDump: UInt32 = 0x40
  private static let append: UInt32 = 0x20
  private static let immutable: UInt32 = 0x10

  private static let hasVersions: Bool = {
    let layers = Layers()
    let path = layers.lower("f")
    guard let file = try? FileDescriptor.open(Path(path), OpenFlags.read) else { return false }
    return (try? InodeFlags.version(file.raw)) != nil
  }()

  @Test(.needs(ofHost: "a file system with generations", hasVersions)) func theGeneration() throws {
    let path = layers.lower("f")
    let file = try FileDescriptor.open(Path(path), OpenFlags.read)
    let version = try InodeFlags.version(file.raw)
    let client = try layers.client()
    // Four bytes, whatever the command's number says: lsattr(1) has room for no more.
    let bytes = try ioctl(client, "f", Command.getVersion, room: 8)
    #expect(bytes == [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: version >> $0) })
  }

  @Test(.needsRoot, .needs(ofHost: "a file system with flags", hasFlags), arguments: [immutable, append])
  func lockedDirectoriesAreNotLookedInto(_ flag: UInt32) throws {
    let client = try layers.client()
    try client.mkdir("d")
    try client.put("d/f", "x")
    try client.mkdir("e")
    #expect(throws: Errno.notEmpty) { try client.rmdir("d") }
    try set(client, "d", flag)
    #expect(throws: Errno.notPermitted) { try client.rmdir("d") }
    #expect(throws: Errno.notPermitted) { try client.rename("e", "d") }
    try set(client, "d", 0)
    #expect(throws: Errno.notEmpty) { try client.rename("e", "d") }
    try client.unlink("d/f")
    try client.rmdir("d")
  }

  /// Whether the host's file system has such flags at all.
  private static let hasFlags: Bool = {
    let layers = Layers()
    let path = layers.lower("f")
    guard let file = try? FileDescriptor.open(Path(path), OpenFlags.read) else { return false }
    return (try? InodeFlags.set(file.raw, noDump)) != nil
  }()

  private func ioctl(
    _ client: FUSEClient, _ path: String, _ command: UInt32, _ input: [UInt8] = [], room: UInt32 = 0
  ) throws -> [UInt8] {
    var arguments = FUSEClient.Bytes()
    arguments.put(UInt64(0))
    arguments.put(UInt32(0))
    arguments.put(command)
    arguments.put(UInt64(0))
    arguments.put(UInt32(input.count))
    arguments.put(room)
    let reply = client.call(.ioctl, try client.node(path), arguments.bytes + input)
    if reply.error != 0 { throw Errno(reply.error) }
    #expect(Array(reply.bytes.prefix(16)) == [UInt8](repeating: 0, count: 16))
    return Array(reply.bytes.dropFirst(16))
  }

  private func flags(_ client: FUSEClient, _ path: String) throws -> UInt32 {
    let bytes = try ioctl(client, path, Command.getFlags, room: 4)
    try #require(bytes.count == 4)
    return UInt32(bytes[0]) | UInt32(bytes[1]) << 8 | UInt32(bytes[2]) << 16 | UInt32(bytes[3]) << 24
  }

  private func set(_ client: FUSEClient, _ path: String, _ flags: UInt32) throws {
    _ = try ioctl(client, path, Command.setFlags, [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: flags >> $0) })
  }

  private func hostFlags(_ path: String) throws -> UInt32 {
    let file = try FileDescriptor.open(Path(path), OpenFlags.read)
    return try InodeFlags.get(file.raw)
  }

  @Test(.needs(ofHost: "a file system with flags", hasFlags))
  func flagsAreSetOnTheCopy() throws {
    let lower = layers.lower("d/f", "text")
    let client = try layers.client()
    for path in ["d/f", "d"] {
      #expect(try flags(client, path) & IoctlTests.noDump == 0)
      try set(client, path, try flags(client, path) | IoctlTests.noDump)
      #expect(try flags(client, path) & IoctlTests.noDump != 0)
    }
    #expect(try hostFlags(lower) & IoctlTests.noDump == 0)
    #expect(try hostFlags(layers.upper + "/d/f") & IoctlTests.noDump != 0)
    #expect(try client.contents("d/f") == "text")
    #expect(try ioctl(client, "d/f", Command.getAttributes, room: 28).count == 28)
  }

  @Test(.needsRoot, .needs(ofHost: "a file system with flags", hasFlags))
  func whatItsOwnerCouldNotTakeOffIsNotTheGuestsToSet() throws {
    for (mode, others) in [(0o755, true), (0o700, false)] as [(mode_t, Bool)] {
      chmod(layers.base, mode)
      let client = try layers.client()
      let name = "f\(others)"
      try client.put(name, "text")
      try set(client, name, try flags(client, name) | IoctlTests.noDump)
      let wanted = try flags(client, name) | IoctlTests.append
      if others {
        #expect(throws: Errno.notPermitted) { try set(client, name, wanted) }
      } else {
        try set(client, name, wanted)
        try set(client, name, wanted & ~IoctlTests.append)
      }
      // A project's quota is the host's wherever it is.
      var attributes = try ioctl(client, name, Command.getAttributes, room: 28)
      _ = try ioctl(client, name, Command.setAttributes, attributes)
      attributes[12] ^= 1
      #expect(throws: Errno.notPermitted) { try ioctl(client, name, Command.setAttributes, attributes) }
    }
  }

  @Test(.needsRoot, .needs(ofHost: "a file system with flags", hasFlags))
  func aFileForAppendingIsNotOverwrittenByWhatWasOpen() throws {
    let client = try layers.client()
    try client.put("f", "text")
    let node = try client.node("f")
    try set(client, "f", try flags(client, "f") | IoctlTests.append)
    #expect(throws: Errno.notPermitted) { try client.write(node, 0, 0, [1]) }
    #expect(throws: Errno.notPermitted) { try client.set("f", size: 0) }
    try client.write(node, 0, 4, Array("A".utf8))
    // As the guest's kernel writes its pages back.
    try client.write(node, 0, 0, Array("textAB".utf8))
    #expect(try client.contents("f") == "textAB")
    try client.set("f", modified: 5)
    #expect(throws: Errno.inputOutput) { try client.write(node, 0, 7, Array("C".utf8)) }
    #expect(throws: Errno.notPermitted) { try client.unlink("f") }
    try set(client, "f", try flags(client, "f") & ~IoctlTests.append)
    try client.write(node, 0, 0, [65])
    #expect(try client.contents("f") == "AextAB")
  }

  @Test func whatIsNotAFilesIoctlIsRefused() throws {
    layers.lower("f", "x")
    let client = try layers.client()
    // TCGETS, by which isatty(3) asks; FITRIM; a block device's.
    for command in [0x5401, 0xc018_5879, 0x1260, 0, .max] as [UInt32] {
      #expect(throws: Errno.notTerminal) { try ioctl(client, "f", command) }
    }
    #expect(throws: Errno.invalid) { try ioctl(client, "f", Command.setFlags, [1, 2]) }
    #expect(throws: Errno.invalid) { try ioctl(client, "f", 0x4080_6685, [UInt8](repeating: 1, count: 127)) }
    // A salt and a signature that are longer than what came.
    var verity = [UInt8](repeating: 0, count: 200)
    verity[0] = 1
    for at in [12, 15, 24, 27] {
      var bad = verity
      bad[at] = 0xff
      #expect(throws: Errno.invalid) { try ioctl(client, "f", 0x4080_6685, bad) }
    }
    #expect(throws: Errno.invalid) { try ioctl(client, "f", 0xc004_6686, room: 3) }
    #expect(try client.contents("f") == "x")
  }
}

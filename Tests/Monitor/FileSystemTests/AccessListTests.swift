import FUSE
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// POSIX access control lists, which the guest's kernel checks. As root the host's file system keeps them; where owners are
/// recorded, so are lists, to the same effect.
@Suite(.needsRoot, .needs(ofHost: "a file system with access lists", AccessLists.isPossible))
struct AccessListTests {
  let layers = Layers()

  func make(
    _ client: FUSEClient, _ opcode: Opcode, _ path: String, mode: UInt32, umask: UInt32
  ) throws -> FUSEClient.Attributes {
    let names = path.split(separator: "/").map(String.init)
    let parent = try client.node(names.dropLast().joined(separator: "/"))
    var arguments = FUSEClient.Bytes()
    if opcode == .create { arguments.put(UInt32(2)) }
    arguments.put(mode)
    if opcode == .mknod { arguments.put(UInt32(0)) }
    arguments.put(umask)
    if opcode != .mkdir { arguments.put(UInt32(0)) }
    arguments.put(names.last!)
    let reply = client.call(opcode, parent, arguments.bytes)
    if reply.error != 0 { throw Errno(reply.error) }
    return FUSEClient.Attributes(reply, at: 40)
  }

  /// - Returns: the error.
  private func set(_ client: FUSEClient, _ path: String, _ name: String, _ list: [UInt8]) throws -> Int32 {
    var arguments = FUSEClient.Bytes()
    arguments.put(UInt32(list.count))
    arguments.put(UInt32(0))
    arguments.put(UInt64(0))
    arguments.put("system.posix_acl_" + name)
    arguments.bytes += list
    return client.call(.setxattr, try client.node(path), arguments.bytes).error
  }

  private func access(_ client: FUSEClient, _ path: String) throws -> AccessList? {
    var arguments = FUSEClient.Bytes()
    arguments.put(UInt32(1000))
    arguments.put(UInt32(0))
    arguments.put("system.posix_acl_access")
    let reply = client.call(.getxattr, try client.node(path), arguments.bytes)
    return reply.error == 0 ? AccessList(parsing: reply.bytes) : nil
  }

  @Test(arguments: [Ownership.real, .recorded]) func theUmaskIsTakenOffHere(_ ownership: Ownership) throws {
    let client = try layers.client(ownership: ownership)
    #expect(client.flags.isSuperset(of: [.posixACL, .dontMask]))
    #expect(try make(client, .create, "f", mode: 0o666, umask: 0o027).permissions == 0o640)
    #expect(try make(client, .mkdir, "d", mode: 0o777, umask: 0o077).permissions == 0o700)
    #expect(try make(client, .mknod, "p", mode: 0o010666, umask: 0o002).permissions == 0o664)
  }

  @Test(arguments: [Ownership.real, .recorded]) func aDefaultListTakesTheUmasksPlace(_ ownership: Ownership) throws {
    layers.lower("d/gone", "")
    layers.lower("d/old/inner", "")
    let client = try layers.client(ownership: ownership)
    #expect(try set(client, "d", "default", AccessLists.sample) == 0)
    // With the mask rwx, the group's bits are what the mode asks for.
    #expect(try make(client, .create, "d/f", mode: 0o666, umask: 0o077).permissions == 0o660)
    #expect(try access(client, "d/f")?.permissions == 0o660)
    #expect(try access(client, "d/f")?.bytes.count == AccessLists.sample.count)
    #expect(try client.listxattr("d/f") == ["system.posix_acl_access"])
    #expect(try make(client, .mkdir, "d/sub", mode: 0o777, umask: 0o077).permissions == 0o770)
    #expect(try make(client, .create, "d/sub/f", mode: 0o600, umask: 0).permissions == 0o600)
    // Where a whiteout was, it is the same.
    try client.unlink("d/gone")
    #expect(try make(client, .create, "d/gone", mode: 0o666, umask: 0o077).permissions == 0o660)
    try client.unlink("d/old/inner")
    try client.rmdir("d/old")
    #expect(try make(client, .mkdir, "d/old", mode: 0o777, umask: 0o077).permissions == 0o770)
    #expect(try make(client, .create, "d/old/f", mode: 0o666, umask: 0o077).permissions == 0o660)
    // Copies into such a directory stay what they were.
    layers.lower("d/later", "x", mode: 0o604)
    try client.setxattr("d/later", "user.a", "b")
    #expect(try client.attributes("d/later").permissions == 0o604)
    #expect(throws: Errno.noData) { try client.getxattr("d/later", "system.posix_acl_access") }
    client.server.close()
    #expect(!layers.exists(layers.upper + "/.novm.work"))
  }

  @Test(arguments: [Ownership.real, .recorded]) func listsAndPermissionsFollowEachOther(_ ownership: Ownership) throws {
    layers.lower("f", "x", mode: 0o604)
    let client = try layers.client(ownership: ownership)
    #expect(try set(client, "f", "access", AccessLists.sample) == 0)
    #expect(try client.attributes("f").permissions == 0o770)
    try client.set("f", mode: 0o640)
    #expect(try access(client, "f")?.permissions == 0o640)
    #expect(try access(client, "f")?.bytes.count == AccessLists.sample.count)
    // What says no more than permissions is not kept.
    #expect(try set(client, "f", "access", AccessLists.minimal) == 0)
    #expect(try client.attributes("f").permissions == 0o750)
    #expect(throws: Errno.noData) { try client.getxattr("f", "system.posix_acl_access") }
    #expect(try client.listxattr("f") == [])
    // Only directories have default ones.
    #expect(try set(client, "f", "default", AccessLists.sample) == EACCES)
  }

  @Test func whatIsNoListIsRefused() throws {
    layers.lower("f", "x")
    let client = try layers.client(ownership: .recorded)
    let sample = AccessLists.sample
    var bad: [[UInt8]] = [[], [2], [1, 0, 0, 0], [2, 0, 0, 0], Array(sample.dropLast()), sample + sample.suffix(8)]
    // Without the mask, without others, permissions of more than three bits, an unknown tag.
    bad.append(Array(sample[..<28] + sample[36...]))
    bad.append(Array(sample.dropLast(8)))
    bad.append(sample.enumerated().map { $0.offset == 6 ? 8 : $0.element })
    bad.append(sample.enumerated().map { $0.offset == 4 ? 3 : $0.element })
    for list in bad { #expect(try set(client, "f", "access", list) == EINVAL, "\(list)") }
    #expect(try client.attributes("f").permissions == 0o644)
  }

  @Test func withAnIdMapThereAreNone() throws {
    let map = IDMap([IDRange(guest: 0, host: 0, count: 100)])
    let client = FUSEClient(FileSystemServer(try layers.tree(users: map)), offering: FUSEClient.linux)
    #expect(client.flags.isDisjoint(with: [.posixACL, .dontMask]))
    try client.put("f", "")
    #expect(throws: Errno.notSupported) { try client.setxattr("f", "system.posix_acl_access", "x") }
    #expect(throws: Errno.noData) { try client.getxattr("f", "system.posix_acl_access") }
  }
}

enum AccessLists {
  /// The attribute's form (linux/posix_acl_xattr.h): version 2; tag, permissions and id of each entry.
  private static func list(_ entries: [(tag: UInt16, permissions: UInt16, id: UInt32)]) -> [UInt8] {
    var bytes = FUSEClient.Bytes()
    bytes.put(UInt32(2))
    for entry in entries {
      bytes.put(entry.tag)
      bytes.put(entry.permissions)
      bytes.put(entry.id)
    }
    return bytes.bytes
  }

  /// user::rwx, user:33:rwx, group::r-x, mask::rwx, other::---
  static let sample = list([
    (1, 7, .max), (2, 7, 33), (4, 5, .max), (0x10, 7, .max), (0x20, 0, .max),
  ])

  /// user::rwx, group::r-x, other::---
  static let minimal = list([(1, 7, .max), (4, 5, .max), (0x20, 0, .max)])

  static let isPossible: Bool = {
    guard geteuid() == 0 else { return false }
    let layers = Layers()
    guard let root = try? FileDescriptor.open(Path(layers.upper), OpenFlags.directory) else { return false }
    let itself = FileCalls.itself
    return (try? FileCalls.setAttribute(root.raw, itself.span, MarkName.defaultACL, sample)) != nil
  }()
}

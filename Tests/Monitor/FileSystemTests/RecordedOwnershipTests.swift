import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// A tree whose owners are kept in `user.containers.override_stat`, as for a user who is not root.
struct RecordedOwnershipTests {
  let layers = Layers()

  @Test func ownersModesAndDevicesAreRecorded() throws {
    let client = try layers.client(ownership: .recorded)
    try client.put("f", "text")
    // Root's files need no record.
    #expect(layers.attribute(layers.upper + "/f", "user.containers.override_stat") == nil)
    #expect(try client.attributes("f").uid == 0)
    try client.set("f", mode: 0o4711, uid: 33, gid: 34)
    #expect(layers.attribute(layers.upper + "/f", "user.containers.override_stat") == "33:34:04711:file")
    var status = stat()
    try #require(stat(layers.upper + "/f", &status) == 0)
    #expect(status.st_uid == geteuid())
    #expect(status.st_mode & 0o7777 == 0o711)
    let made = try client.mknod("null", 0o020666, device: 0x103)
    #expect((made.attributes.mode, made.attributes.device) == (0o020666, 0x103))
    #expect(layers.attribute(layers.upper + "/null", "user.containers.override_stat") == "0:0:0666:char-1-3")
    try client.mknod("pipe", 0o010600)
    try client.mknod("w", 0o020000)
    try client.mkdir("d", 0o000)
    client.server.close()

    let again = try layers.client(ownership: .recorded)
    let attributes = try again.attributes("f")
    #expect((attributes.uid, attributes.gid, attributes.permissions) == (33, 34, 0o4711))
    #expect(try again.attributes("null").mode == 0o020666)
    #expect(try again.attributes("pipe").mode == 0o010600)
    #expect(try again.attributes("w").mode == 0o020000)
    #expect(try again.attributes("d").permissions == 0)
    // The owner on the host can still go in.
    try again.put("d/inner", "x")
    #expect(try again.contents("d/inner") == "x")
    // Back to what a plain file says.
    try again.set("f", mode: 0o711, uid: 0, gid: 0)
    #expect(layers.attribute(layers.upper + "/f", "user.containers.override_stat") == nil)
  }

  @Test func privilegedAttributesAreKeptAsideAndGoWithAWrite() throws {
    let client = try layers.client(ownership: .recorded)
    try client.put("f", "text")
    try client.setxattr("f", "security.capability", "caps")
    #expect(try client.getxattr("f", "security.capability") == "caps")
    #expect(try client.listxattr("f") == ["security.capability"])
    #expect(layers.attribute(layers.upper + "/f", "user.containers.override_security.capability") == "caps")
    try client.put("f", "other")
    #expect(throws: Errno.noData) { try client.getxattr("f", "security.capability") }
  }

  @Test(.needsRoot)
  func copiesKeepTheirOwner() throws {
    let path = layers.lower("f", "x")
    chown(path, 7, 8)
    chmod(path, 0o4755)
    let client = try layers.client(ownership: .recorded)
    try client.setxattr("f", "user.touch", "1")
    let attributes = try client.attributes("f")
    #expect((attributes.uid, attributes.gid, attributes.permissions) == (7, 8, 0o4755))
    #expect(layers.attribute(layers.upper + "/f", "user.containers.override_stat") == "7:8:04755:file")
  }

  /// A tree of the user 1001 and group 1002, whatever shows the directories `d`.
  private func ofUser(_ show: (Layers) -> (reads: [LayerMap], writes: [LayerMap], shares: [Share])) throws -> FUSEClient
  {
    let maps = show(layers)
    return FUSEClient(
      FileSystemServer(
        try LayeredTree(
          reads: [LayerMap(guestPath: "/", hostPath: layers.lower)] + maps.reads, writes: maps.writes,
          shares: maps.shares, ownership: .recorded, user: 1001, group: 1002)))
  }

  @Test(.needsRoot, arguments: ["read", "write", "share"]) func theUsersFilesAreRootsInTheGuest(kind: String) throws {
    let home = layers.base + "/home"
    layers.put(home + "/mine", "x")
    layers.put(home + "/dir/mine", "x")
    layers.symlink(home + "/link", to: "mine")
    layers.put(home + "/roots", "x")
    layers.put(home + "/recorded", "x")
    layers.put(home + "/forged", "x")
    for name in ["", "/mine", "/dir", "/dir/mine", "/link", "/recorded"] { lchown(home + name, 1001, 1002) }
    lchown(home + "/forged", 1003, 1003)
    for name in ["recorded", "forged"] {
      layers.setAttribute(home + "/" + name, "user.containers.override_stat", "33:34:04755:file")
      layers.setAttribute(home + "/" + name, "user.containers.override_security.capability", "caps")
    }
    let client = try ofUser { _ in
      let map = LayerMap(guestPath: "/home", hostPath: home)
      return switch kind {
      case "read": ([map], [], [])
      case "write": ([], [map], [])
      default: ([], [], [Share(map: map, caching: .always)])
      }
    }
    for name in ["", "/mine", "/dir", "/dir/mine", "/link", "/roots"] {
      let attributes = try client.attributes("home" + name)
      #expect((attributes.uid, attributes.gid) == (0, 0), "\(name)")
    }
    let recorded = try client.attributes("home/recorded")
    #expect((recorded.uid, recorded.gid, recorded.permissions) == (33, 34, 0o4755))
    #expect(try client.getxattr("home/recorded", "security.capability") == "caps")
    #expect(try client.listxattr("home/recorded") == ["security.capability"])
    // In a directory that is only read there are files of others, who shall not say what theirs are.
    guard kind == "read" else { return }
    let forged = try client.attributes("home/forged")
    #expect((forged.uid, forged.gid, forged.permissions) == (1003, 1003, 0o644))
    #expect(throws: Errno.noData) { try client.getxattr("home/forged", "security.capability") }
    #expect(try client.listxattr("home/forged") == [])
  }

  @Test(.needsRoot) func aCopyOfTheUsersFileStaysRoots() throws {
    let path = layers.lower("d/f", "x")
    for path in [path, layers.lower + "/d", layers.lower] { chown(path, 1001, 1002) }
    let client = try ofUser { layers in ([], [LayerMap(guestPath: "/", hostPath: layers.upper)], []) }
    #expect(try client.attributes("d/f").uid == 0)
    try client.put("d/f", "changed")
    #expect(try client.attributes("d/f").uid == 0)
    #expect(try client.attributes("d").uid == 0)
    // To the guest its user of the same number is another.
    chown(layers.upper + "/d/f", 1001, 1002)
    try client.set("d/f", uid: 1001)
    #expect(try client.attributes("d/f").uid == 1001)
  }

  /// Owners of symlinks of a directory, by name.
  private func linkOwners(_ client: FUSEClient, _ directory: String) throws -> [String: UInt32] {
    var owners: [String: UInt32] = [:]
    for name in try client.names(directory) { owners[name] = try client.attributes("\(directory)/\(name)").uid }
    return owners
  }

  @Test(arguments: ["write", "share"]) func symlinksHaveOwners(kind: String) throws {
    let shared = layers.base + "/shared"
    layers.mkdir(shared)
    layers.lower("t/below", "")
    layers.symlink(layers.lower + "/t/lower", to: "x")
    let shares = kind == "share" ? [Share(map: LayerMap(guestPath: "/t", hostPath: shared), caching: .always)] : []
    if kind == "share" { layers.symlink(shared + "/lower", to: "x") }
    let client = try layers.client(shares: shares, ownership: .recorded)
    try client.set("t", mode: 0o1777)
    try client.mkdir("t/d")
    try client.mkdir("t/e")
    client.uid = 1000
    for name in ["one", "two", "three", "gone"] { try client.symlink("t/d/" + name, to: "target of " + name) }
    client.uid = 0
    try client.symlink("t/d/root", to: "x")
    #expect(try linkOwners(client, "t/d") == ["one": 1000, "two": 1000, "three": 1000, "gone": 1000, "root": 0])
    // Renamed, in the directory, to another and over others; given away; removed; another name.
    try client.rename("t/d/one", "t/d/first")
    try client.rename("t/d/two", "t/e/two")
    try client.rename("t/d/root", "t/d/three")
    try client.unlink("t/d/gone")
    try client.symlink("t/d/gone", to: "target of gone")
    try client.link("t/e/two", "t/e/other")
    try client.set("t/lower", uid: 33, gid: 34)
    try client.symlink("t/e/exchanged", to: "x")
    try client.rename("t/e/exchanged", "t/d/first", flags: 2)
    let left = ["d": ["three": 0, "gone": 0, "first": 0], "e": ["two": 1000, "other": 1000, "exchanged": 1000]]
    for client in [client, try layers.client(shares: shares, ownership: .recorded)] {
      for (directory, owners) in left {
        #expect(try linkOwners(client, "t/" + directory) == owners.mapValues { UInt32($0) }, "\(directory)")
      }
      let given = try client.attributes("t/lower")
      #expect((given.uid, given.gid) == (33, 34))
      #expect(try client.listxattr("t/e") == [])
    }
    try client.set("t/e/two", uid: 0)
    #expect(try linkOwners(client, "t/e") == ["two": 0, "other": 0, "exchanged": 1000])
    // What the host puts in the place of one is nobody's but root's.
    let host = (kind == "share" ? shared : layers.upper + "/t") + "/e/exchanged"
    unlink(host)
    symlink("elsewhere", host)
    #expect(try linkOwners(layers.client(shares: shares, ownership: .recorded), "t/e")["exchanged"] == 0)
    // Nothing is left when nothing needs it.
    try client.unlink("t/e/exchanged")
    #expect(
      layers.attribute((kind == "share" ? shared : layers.upper + "/t") + "/e", "user.containers.override_links") == nil
    )
  }

  /// Two machines with one share record in its directories at once.
  @Test func whatAnotherMachineRecordsStays() throws {
    let shared = layers.base + "/shared"
    layers.mkdir(shared)
    let shares = [Share(map: LayerMap(guestPath: "/t", hostPath: shared), caching: .always)]
    let names = (0..<80).map { "\($0)" }
    for name in names { layers.symlink("\(shared)/\(name)", to: "x") }
    let clients = try (0..<2).map { _ in
      ConcurrencyTests.Shared(try layers.client(shares: shares, ownership: .recorded))
    }
    DispatchQueue.concurrentPerform(iterations: 2) { which in
      for name in names.indices where name % 2 == which {
        do {
          try clients[which].client.set("t/" + names[name], uid: 1000)
        } catch {
          Issue.record(error)
        }
      }
    }
    let client = try layers.client(shares: shares, ownership: .recorded)
    #expect(try linkOwners(client, "t") == Dictionary(uniqueKeysWithValues: names.map { ($0, 1000) }))
  }

  /// Who records something waits for another who has the directory locked, though not for ever.
  @Test func recordsAreWrittenUnderALock() throws {
    layers.mkdir(layers.base + "/d")
    let directory = try FileDescriptor.open(layers.base + "/d", OpenFlags.directory)
    let name: [UInt8] = [UInt8(ascii: "l"), 0]
    try FileCalls.setLinkOwner(directory.raw, name.span, LinkOwners.Owner(uid: 1, gid: 1), target: [1])
    let other = try FileDescriptor.open(layers.base + "/d", OpenFlags.directory)
    try #require(flock(other.raw, LOCK_EX) == 0)
    let start = ContinuousClock.now
    try FileCalls.setLinkOwner(directory.raw, name.span, LinkOwners.Owner(uid: 2, gid: 2), target: [1])
    #expect(start.duration(to: .now) >= .milliseconds(15))
    // A write map is locked by its own machine for as long as that lives.
    try FileCalls.setLinkOwner(
      directory.raw, name.span, LinkOwners.Owner(uid: 3, gid: 3), target: [1], isShared: false)
    layers.symlink(layers.base + "/d/l", to: "\u{1}")
    #expect(FileCalls.linkOwner(directory.raw, name.span) == LinkOwners.Owner(uid: 3, gid: 3))
  }

  /// In a sticky directory nobody else may remove it, so that a name without its owner is none.
  @Test func aStickyDirectoryHasNoSymlinksThatItsOwnerCannotRemove() throws {
    let client = try layers.client(ownership: .recorded)
    for directory in ["d", "t"] { try client.mkdir(directory) }
    try client.set("t", mode: 0o1777)
    client.uid = 1000
    var number = 0
    // Names are up to 255 bytes: the room for records is soon full.
    let name = { (number: Int) in "\(number)" + String(repeating: "n", count: 240) }
    while number < 1000, (try? client.symlink("t/" + name(number), to: "x")) != nil { number += 1 }
    guard number < 1000 else { return }
    try client.symlink("d/" + name(number), to: "x")
    #expect(throws: Errno.self) { try client.rename("d/" + name(number), "t/" + name(number)) }
    #expect(throws: Errno.self) { try client.link("d/" + name(number), "t/" + name(number)) }
    #expect(try client.attributes("d/" + name(number)).uid == 1000)
    #expect(try client.names("t").count == number)
  }

  @Test func moreSymlinksThanThereIsRoomFor() throws {
    let client = try layers.client(ownership: .recorded)
    try client.mkdir("d")
    client.uid = 1000
    for number in 0..<4000 { try client.symlink("d/a name of some length \(number)", to: "x") }
    #expect(try client.names("d").count == 4000)
    #expect(try client.attributes("d/a name of some length 0").uid == 1000)
  }

  @Test func recordsOfSymlinksAreReadBack() {
    var owners = LinkOwners()
    for number in 0..<100 {
      owners.set(Array("name \(number)".utf8), target: [1], LinkOwners.Owner(uid: UInt32(number % 3) + 1, gid: 7))
    }
    let bytes = owners.bytes
    #expect(LinkOwners(parsing: bytes) == owners)
    #expect(owners.owner(of: Array("name 4".utf8), target: [1]) == LinkOwners.Owner(uid: 2, gid: 7))
    #expect(owners.owner(of: Array("name 4".utf8), target: [2]) == nil)
    // Cut short anywhere it is nothing, or fewer owners.
    for count in 1..<bytes.count {
      if let part = LinkOwners(parsing: Array(bytes[..<count])) { #expect(part != owners) }
    }
  }

  @Test func readsWhatOthersWrite() {
    func parse(_ text: String, type: UInt32 = FileType.regular) -> OverrideStat? {
      OverrideStat(parsing: Array(text.utf8).span, hostType: type)
    }
    #expect(parse("0:0:0755") == OverrideStat(uid: 0, gid: 0, mode: 0o100755))
    #expect(parse("1:2:0100644:file") == OverrideStat(uid: 1, gid: 2, mode: 0o100644))
    #expect(parse("1:2:644:block-8-17") == OverrideStat(uid: 1, gid: 2, mode: 0o060644, major: 8, minor: 17))
    #expect(parse("1:2:1777:dir", type: FileType.directory) == OverrideStat(uid: 1, gid: 2, mode: 0o041777))
    // A directory stays one, whatever is written.
    #expect(parse("1:2:644:char-1-3", type: FileType.directory)?.mode == 0o040644)
    #expect(parse("1:2:644:dir")?.mode == 0o100644)
    for text in [
      "", ":", "1:2", "1:2:", "1:2:9", "a:b:c", "4294967296:0:0", "1:2:644:", "1:2:644:char-1", "1:2:644:what",
    ] {
      #expect(parse(text) == nil)
    }
  }
}

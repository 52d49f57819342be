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

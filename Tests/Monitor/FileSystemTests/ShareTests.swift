import FUSE
import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Directories that are in the tree as they are.
struct ShareTests {
  @Test func aPlaceToMountOn() throws {
    let layers = Layers()
    layers.lower("there/f", "text")
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
      writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], mountPoints: ["/there", "/a/new"])
    let client = FUSEClient(FileSystemServer(tree))
    #expect(try client.names("") == ["a", "there"] && client.names("a") == ["new"])
    #expect(try client.contents("there/f") == "text")
    #expect(try client.attributes("a/new").type == FileType.directory)
    // It stays, and leaves no trace in what is written.
    for path in ["a/new", "a", "there"] { #expect(throws: Errno.busy) { try client.rmdir(path) } }
    #expect(throws: Errno.busy) { try client.rename("there", "elsewhere") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: layers.upper) == [])
    layers.lower("file")
    #expect(throws: TreeError.self) {
      try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: layers.lower)], mountPoints: ["/file"])
    }
  }

  let layers = Layers()
  private var shared: String { layers.base + "/shared" }

  init() { layers.mkdir(layers.base + "/shared") }

  private func client(
    _ caching: Caching = .auto, isReadOnly: Bool = false, at path: String = "/s", ownership: Ownership = .forThisUser
  ) throws -> FUSEClient {
    let share = Share(
      map: LayerMap(guestPath: path, hostPath: shared), isReadOnly: isReadOnly, caching: caching)
    return try layers.client(shares: [share], ownership: ownership)
  }

  /// A share takes no copies of what is not its own, and no marks of what is gone.
  @Test(arguments: [false, true]) func whatIsMappedInItIsForReading(isThere: Bool) throws {
    let given = layers.base + "/given"
    layers.put(given + "/f", "given")
    layers.put(given + "/d/g", "inner")
    layers.mkdir(given + "/empty")
    layers.put(shared + "/beside", "beside")
    if isThere { layers.put(shared + "/lib/d/own", "own") }
    let before = try FileManager.default.subpathsOfDirectory(atPath: shared).sorted()
    let client = FUSEClient(
      FileSystemServer(
        try LayeredTree(
          reads: [
            LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/s/lib", hostPath: given),
            LayerMap(guestPath: "/s/file", hostPath: given + "/f"),
          ],
          writes: [LayerMap(guestPath: "/", hostPath: layers.upper)],
          shares: [Share(map: LayerMap(guestPath: "/s", hostPath: shared))], mountPoints: ["/s/way/to"])))
    #expect(try client.names("s") == ["beside", "file", "lib", "way"])
    #expect(try client.names("s/lib/d") == (isThere ? ["g", "own"] : ["g"]))
    for path in ["s/lib/f", "s/lib/d/g", "s/file"] + (isThere ? ["s/lib/d/own"] : []) {
      let node = try client.node(path)
      let changes: [() throws -> Void] = [
        { _ = try client.write(node, client.open(node, 1), 0, [1]) },
        { try client.set(node: node, size: 0) },
        { try client.set(path, mode: 0o600) },
        { try client.setxattr(path, "user.word", "value") },
        { try client.unlink(path) },
        { try client.rename(path, "s/moved") },
        { try client.rename(path, "s/beside") },
        { try client.rename("s/beside", path, flags: 2) },
        { _ = try client.link(path, "s/linked") },
      ]
      for (index, change) in changes.enumerated() {
        #expect(throws: Errno.readOnly, "\(path), change \(index)") { try change() }
      }
    }
    for path in ["s/lib", "s/lib/d", "s/way"] {
      #expect(throws: Errno.readOnly) { try client.mkdir(path + "/new") }
      #expect(throws: Errno.readOnly) { try client.create(path + "/new") }
      #expect(throws: Errno.readOnly) { try client.symlink(path + "/new", to: "f") }
      #expect(throws: Errno.readOnly) { try client.rename("s/beside", path + "/new") }
      #expect(throws: Errno.readOnly) { try client.set(path, mode: 0o700) }
    }
    #expect(throws: Errno.readOnly) { try client.rmdir("s/lib/empty") }
    #expect(throws: Errno.busy) { try client.rmdir("s/lib") }
    #expect(try FileManager.default.subpathsOfDirectory(atPath: shared).sorted() == before)
    #expect(layers.contents(shared + "/beside") == "beside" && layers.contents(given + "/f") == "given")
    // What is its own is changed, but not where something else would show in its place.
    try client.put("s/new", "new")
    try client.rename("s/new", "s/file")
    #expect(try client.contents("s/file") == "new" && layers.contents(shared + "/file") == "new")
    #expect(throws: Errno.readOnly) { try client.unlink("s/file") }
    #expect(throws: Errno.readOnly) { try client.rename("s/file", "s/moved") }
    #expect(layers.contents(shared + "/file") == "new" && !layers.exists(shared + "/moved"))
  }

  @Test(arguments: [Caching.none, .auto, .always]) func changesGoStraightToTheHost(caching: Caching) throws {
    layers.lower("s/hidden", "below")
    layers.put(shared + "/f", "text")
    layers.put(shared + "/d/inner", "")
    let client = try client(caching)
    // Nothing merges with it.
    #expect(try client.names("s") == ["d", "f"])
    try client.put("s/f", "changed")
    try client.put("s/new", "new")
    try client.mkdir("s/made")
    try client.rename("s/d", "s/made/d")
    try client.unlink("s/made/d/inner")
    try client.link("s/f", "s/linked")
    #expect(layers.contents(shared + "/f") == "changed")
    #expect(layers.contents(shared + "/new") == "new")
    #expect(layers.contents(shared + "/linked") == "changed")
    #expect(layers.exists(shared + "/made/d"))
    try client.rmdir("s/made/d")
    #expect(try client.names("s/made") == [])
    #expect(throws: Errno.crossDevice) { try client.rename("s/new", "new") }
    #expect(throws: Errno.busy) { try client.rmdir("s") }
    client.server.close()
    #expect(!layers.exists(layers.upper + "/s"))
    #expect(try Set(FileManager.default.contentsOfDirectory(atPath: shared)) == ["f", "new", "linked", "made"])
  }

  @Test func whatTheHostChangesShows() throws {
    layers.put(shared + "/d/f", "old")
    let client = try client(.none)
    #expect(client.flags.isDisjoint(with: [.noOpen, .noOpendir, .writebackCache]))
    #expect(try client.contents("s/d/f") == "old")
    #expect(!client.exists("s/d/later"))
    layers.put(shared + "/d/f", "longer now")
    layers.put(shared + "/d/later", "")
    #expect(try client.attributes("s/d/f").length == 10)
    #expect(try client.contents("s/d/f") == "longer now")
    #expect(client.exists("s/d/later"))
    // A directory in another's place.
    Glibc.rename(shared + "/d", shared + "/moved")
    layers.put(shared + "/d/other", "")
    #expect(try client.names("s/d") == ["other"])
    #expect(try client.names("s/moved") == ["f", "later"])
    unlink(shared + "/moved/f")
    #expect(throws: Errno.notFound) { try client.node("s/moved/f") }
  }

  @Test func theGuestKeepsNothingThatTheHostMayChangeUnseen() throws {
    // A file system gives the number of a removed symlink to the next one, and with it the target that the guest's kernel keeps.
    for caching in [Caching.none, .auto] {
      #expect(try client(caching).flags.isDisjoint(with: .cacheSymlinks))
    }
    #expect(try client(.always).flags.contains(.cacheSymlinks))
  }

  @Test func aStampTellsOfTheHostsChangesAndIsNone() throws {
    // Of two changes within a tick of the host's clock the second cannot be seen.
    func put(_ name: String, _ text: String) {
      usleep(30_000)
      layers.put(shared + name, text)
    }
    func stamp(_ path: String) throws -> FUSEClient.Attributes {
      try client.set(path, modified: FileSystemServer.stamp)
    }
    put("/f", "text")
    put("/d/g", "")
    let client = try client()
    let before = try client.attributes("s/f")
    #expect(try stamp("s/f").modified == before.modified)
    #expect(throws: Errno.exists) { try stamp("s/f") }
    put("/f", "longer")
    #expect(try stamp("s/f").length == 6)
    // Of both kinds that there is to tell neither keeps the other from it.
    try client.set("s/f", accessed: 0, modified: FileSystemServer.stamp)
    #expect(throws: Errno.exists) { try client.set("s/f", accessed: 0, modified: FileSystemServer.stamp) }
    put("/d/new", "")
    #expect(try stamp("s/d").modified == client.attributes("s/d").modified)

    // What the guest does itself its kernel has told; the host's next change is told again.
    try client.put("s/f", "own")
    #expect(throws: Errno.exists) { try stamp("s/f") }
    put("/f", "the host's")
    #expect(try stamp("s/f").length == 10)
    try client.put("s/d/made", "x")
    for path in ["s/d", "s/d/made"] { #expect(throws: Errno.exists) { try stamp(path) } }
    try client.rename("s/d/made", "s/moved")
    for path in ["s", "s/d", "s/moved"] { #expect(throws: Errno.exists) { try stamp(path) } }
    // RENAME_EXCHANGE, of names that a guest's kernel has looked up.
    _ = try (client.node("s/d/g"), client.node("s/moved"))
    try client.rename("s/d/g", "s/moved", flags: 2)
    for path in ["s", "s/d", "s/d/g", "s/moved"] { #expect(throws: Errno.exists) { try stamp(path) } }
    try client.set("s/d/g", mode: 0o600)
    #expect(throws: Errno.exists) { try stamp("s/d/g") }

    // Nor is one a change where nobody else makes any, or none can be made.
    try client.put("beside", "x")
    let beside = try client.attributes("beside")
    #expect(throws: Errno.exists) { try stamp("beside") }
    #expect(try client.attributes("beside") == beside)
    let reading = try self.client(isReadOnly: true)
    #expect(try reading.set("s/f", modified: FileSystemServer.stamp).length == 10)
  }

  @Test func asynchronousDirectWritesAreOnlyForWhatIsNotCached() throws {
    let none = Share(map: LayerMap(guestPath: "/", hostPath: shared), caching: .none)
    let flags = FUSEClient(FileSystemServer(try LayeredTree(reads: [], shares: [none]))).flags
    #expect(flags.contains(.asyncDirectIO))
    let reading = try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: layers.lower)])
    #expect(FUSEClient(FileSystemServer(reading)).flags.contains(.asyncDirectIO))
    for caching in [Caching.none, .auto, .always] {
      #expect(try client(caching).flags.isDisjoint(with: .asyncDirectIO))
    }
  }

  @Test func anOpenFileStaysThoughTheHostReplacesIt() throws {
    layers.put(shared + "/f", "old")
    let client = try client()
    let node = try client.node("s/f")
    let handle = try client.open(node)
    #expect(try client.read(node, handle) == Array("old".utf8))
    layers.put(shared + "/g", "new")
    Glibc.rename(shared + "/g", shared + "/f")
    #expect(try client.contents("s/f") == "new")
    #expect(try client.read(node, handle) == Array("old".utf8))
    #expect(try client.attributes(of: node).length == 3)
    #expect(try client.attributes(of: node).links == 0)
    client.release(node, handle)
  }

  @Test func whatIsForReadingStaysAsItIs() throws {
    layers.put(shared + "/f", "text")
    let client = try client(isReadOnly: true)
    #expect(try client.contents("s/f") == "text")
    #expect(throws: Errno.readOnly) { try client.put("s/f", "x") }
    #expect(throws: Errno.readOnly) { try client.put("s/g", "x") }
    #expect(throws: Errno.readOnly) { try client.unlink("s/f") }
    #expect(throws: Errno.readOnly) { try client.set("s/f", mode: 0o600) }
    #expect(throws: Errno.readOnly) { try client.setxattr("s/f", "user.a", "b") }
    try client.put("beside", "x")
    #expect(layers.contents(shared + "/f") == "text")
  }

  @Test(.needsRoot) func marksMeanNothingHere() throws {
    try #require(mknod(shared + "/w", S_IFCHR | 0o644, 0) == 0)
    layers.put(shared + "/.novm.work", "mine")
    layers.setAttribute(shared, "trusted.overlay.opaque", "y")
    let client = try client()
    #expect(try client.names("s") == [".novm.work", "w"])
    #expect(try client.attributes("s/w").type == FileType.characterDevice)
    #expect(throws: Errno.exists) { try client.mkdir("s/w") }
    layers.mkdir(shared + "/d")
    try #require(mknod(shared + "/d/w", S_IFCHR | 0o644, 0) == 0)
    #expect(throws: Errno.notEmpty) { try client.rmdir("s/d") }
    try client.unlink("s/w")
    #expect(!layers.exists(shared + "/w"))
  }

  /// A container store in a share has marks of its own there.
  @Test(arguments: [Ownership.real, .recorded]) func marksOfOverlayfsAreTheGuests(_ ownership: Ownership) throws {
    if ownership == .real { try Need.toGoOn("root", Need.isRoot) }
    layers.put(shared + "/f", "text")
    let client = try client(ownership: ownership)
    let names = ["user.overlay.opaque", "trusted.overlay.opaque", "user.overlay.anything"]
    for name in names {
      #expect(throws: Errno.noData) { try client.getxattr("s/f", name) }
      try client.setxattr("s/f", name, "y")
      #expect(try client.getxattr("s/f", name) == "y")
    }
    #expect(try client.listxattr("s/f") == names.sorted())
    for name in names { try client.removexattr("s/f", name) }
    #expect(try client.listxattr("s/f") == [])
    #expect(throws: Errno.notPermitted) { try client.setxattr("s/f", "user.containers.override_stat", "0:0:0777") }
  }

  @Test func validityIsWhatWasAskedFor() throws {
    layers.put(shared + "/f", "")
    for (caching, seconds) in [(Caching.none, 0), (.auto, 1), (.always, 86400)] as [(Caching, UInt64)] {
      let client = try client(caching)
      let node = try client.node("s")
      let reply = client.call(.lookup, node, Array("f".utf8) + [0])
      #expect((reply.load(UInt64.self, at: 16), reply.load(UInt64.self, at: 24)) == (seconds, seconds))
      let nothing = client.call(.lookup, node, Array("g".utf8) + [0])
      #expect((nothing.load(UInt64.self, at: 0), nothing.load(UInt64.self, at: 16)) == (0, seconds))
      // The rest of the tree is as ever.
      #expect(client.call(.lookup, 1, Array("g".utf8) + [0]).load(UInt64.self, at: 16) == 86400)
      #expect(client.flags.contains(.noOpen) == (caching == .always))
    }
  }

  @Test func aShareCanBeTheWholeTree() throws {
    layers.put(shared + "/f", "text")
    let client = FUSEClient(
      FileSystemServer(
        try LayeredTree(reads: [], shares: [Share(map: LayerMap(guestPath: "/", hostPath: shared))])))
    #expect(try client.names("/") == ["f"])
    try client.put("g", "x")
    #expect(layers.contents(shared + "/g") == "x")
  }

  @Test func ownersAreRecordedWithoutRoot() throws {
    let client = try client(ownership: .recorded)
    try client.put("s/f", "x")
    try client.set("s/f", mode: 0o4755, uid: 33, gid: 33)
    #expect(try client.attributes("s/f").uid == 33)
    #expect(layers.attribute(shared + "/f", "user.containers.override_stat") == "33:33:04755:file")
  }
}

struct IDMapTests {
  @Test func mapsBothWays() {
    let map = IDMap([
      IDRange(guest: 0, host: 100_000, count: 1000), IDRange(guest: 1000, host: 1000, count: 1),
    ])
    #expect([0, 999, 1000].map { map.host($0) } == [100_000, 100_999, 1000])
    #expect(map.host(1001) == nil)
    #expect([100_000, 100_999, 101_000, 1000, 0].map { map.guest($0) } == [0, 999, 65534, 1000, 65534])
    let edge = IDMap([IDRange(guest: .max - 1, host: .max - 1, count: .max)])
    #expect(edge.host(.max) == .max)
    #expect(IDMap().host(7) == 7)
  }

  @Test(.needsRoot) func ownersOnTheHostAreTheMapped() throws {
    let layers = Layers()
    chown(layers.lower("lower", "text"), 5, 6)
    let map = IDMap([IDRange(guest: 0, host: 100_000, count: 1000)])
    let client = FUSEClient(FileSystemServer(try layers.tree(ownership: .real, users: map, groups: map)))
    try client.put("f", "x")
    try client.mkdir("d")
    try client.symlink("l", to: "f")
    try client.set("f", uid: 33, gid: 44)
    try client.set("lower", mode: 0o4755)
    #expect(try client.attributes("f").uid == 33)
    #expect(try client.attributes("lower").uid == 5)
    #expect(throws: Errno.invalid) { try client.set("f", uid: 1000) }
    func owner(_ name: String) -> [UInt32] {
      var status = stat()
      lstat(layers.upper + "/" + name, &status)
      return [status.st_uid, status.st_gid]
    }
    #expect(owner("f") == [100_033, 100_044])
    #expect(owner("d") == [100_000, 100_000])
    #expect(owner("l") == [100_000, 100_000])
    #expect(owner("lower") == [100_005, 100_006])
    #expect(try client.attributes("lower").permissions == 0o4755)
    // A map of its own, with nothing below.
    let own = layers.base + "/own"
    layers.mkdir(own)
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower)], writes: [LayerMap(guestPath: "/new", hostPath: own)],
      ownership: .real, users: map, groups: map)
    let new = try FUSEClient(FileSystemServer(tree)).attributes("new")
    #expect([new.uid, new.gid] == [0, 0])
  }
}

import Glibc
import Host
import Testing

@testable import FileSystem

/// The table of what a layered tree does: as the kernel's overlayfs, case by case.
struct LayeredTreeTests {
  let layers = Layers()

  // MARK: Reading

  @Test func directoriesMergeAndLaterLayersWin() throws {
    layers.lower("d/one", "lower")
    layers.lower("d/both", "lower")
    layers.put(layers.base + "/second/d/both", "second")
    layers.put(layers.base + "/second/d/two", "second")
    let tree = try LayeredTree(
      reads: [
        LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/", hostPath: layers.base + "/second"),
      ])
    let client = FUSEClient(FileSystemServer(tree))
    for isPlus in [true, false] {
      for size in [160, 300, 4096] as [UInt32] {
        let names = try client.list("d", isPlus: isPlus, size: size).map(\.name).sorted()
        #expect(names == ["both", "one", "two"])
      }
    }
    #expect(try client.contents("d/both") == "second")
    #expect(try client.contents("d/one") == "lower")
    #expect(throws: Errno.readOnly) { try client.put("d/new", "") }
    #expect(throws: Errno.readOnly) { try client.unlink("d/one") }
    #expect(throws: Errno.readOnly) { try client.set("d/one", mode: 0o600) }
  }

  @Test func aFileHidesADirectoryBelowAndTheOtherWayRound() throws {
    layers.lower("a/inner", "")
    layers.lower("b", "file")
    layers.put(layers.upper + "/a", "file")
    layers.mkdir(layers.upper + "/b")
    let client = try layers.client()
    #expect(try client.contents("a") == "file")
    #expect(try client.names("b") == [])
  }

  @Test func whiteoutsAndOpaqueDirectoriesOfALayerHide() throws {
    layers.lower("gone", "")
    layers.lower("d/gone", "")
    layers.lower("opaque/old", "")
    layers.put(layers.upper + "/opaque/new", "")
    layers.mkdir(layers.upper + "/d")
    try #require(mknod(layers.upper + "/gone", S_IFCHR, 0) == 0)
    try #require(mknod(layers.upper + "/d/gone", S_IFCHR, 0) == 0)
    let mark = geteuid() == 0 ? "trusted.overlay.opaque" : "user.overlay.opaque"
    layers.setAttribute(layers.upper + "/opaque", mark, "y")
    let client = try layers.client()
    #expect(try client.names("/") == ["d", "opaque"])
    #expect(try client.names("d") == [])
    #expect(try client.names("opaque") == ["new"])
    #expect(!client.exists("opaque/old"))
    #expect(!client.exists("gone"))
  }

  @Test func inodeNumbersAgreeEverywhere() throws {
    layers.lower("d/f", "x")
    layers.lower("d/e/g", "x")
    layers.put(layers.upper + "/d/h", "x")
    let client = try layers.client()
    let plus = try client.list("d").map { [$0.name: $0.inode] }
    let plain = try client.list("d", isPlus: false).map { [$0.name: $0.inode] }
    #expect(plus == plain)
    for name in ["f", "e", "h"] {
      let inode = try client.attributes("d/" + name).inode
      #expect(plus.contains([name: inode]))
    }
  }

  // MARK: Copying up

  @Test func writingCopiesUpWithEverything() throws {
    layers.lower("d/f", "0123456789", mode: 0o751)
    layers.setAttribute(layers.lower + "/d/f", "user.note", "kept")
    var times = [timespec(tv_sec: 5, tv_nsec: 6), timespec(tv_sec: 7, tv_nsec: 8)]
    utimensat(AT_FDCWD, layers.lower + "/d/f", &times, 0)
    utimensat(AT_FDCWD, layers.lower + "/d", &times, 0)
    let client = try layers.client()
    let before = try client.attributes("d/f")
    let directory = try client.attributes("d")
    #expect(before.modified == 7)
    #expect(try client.set("d/f", mode: 0o600).permissions == 0o600)
    #expect(layers.contents(layers.upper + "/d/f") == "0123456789")
    #expect(layers.attribute(layers.upper + "/d/f", "user.note") == "kept")
    let after = try client.attributes("d/f")
    #expect((after.inode, after.modified, after.uid) == (before.inode, 7, before.uid))
    // A copy is no change of the directory that it is in.
    #expect(try client.attributes("d").modified == directory.modified)
    #expect(try client.attributes("d").inode == directory.inode)
    #expect(layers.contents(layers.lower + "/d/f") == "0123456789")
    // And the number stays when the tree is made anew.
    client.server.close()
    #expect(try layers.client().attributes("d/f").inode == before.inode)
  }

  @Test func truncatingCopiesNoData() throws {
    layers.lower("f", String(repeating: "x", count: 100_000))
    let client = try layers.client()
    try client.put("f", "new")
    #expect(try client.contents("f") == "new")
    #expect(layers.contents(layers.upper + "/f") == "new")
  }

  @Test func holesStayHoles() throws {
    let path = layers.lower("sparse", "start")
    try #require(truncate(path, 8 << 20) == 0)
    let client = try layers.client()
    let node = try client.node("sparse")
    let handle = try client.open(node, 2)
    try client.write(node, handle, 4 << 20, [1, 2, 3])
    var status = stat()
    try #require(stat(layers.upper + "/sparse", &status) == 0)
    #expect(status.st_size == 8 << 20)
    #expect(status.st_blocks * 512 < 1 << 20)
    #expect(try client.read(node, handle, 4 << 20, 4) == [1, 2, 3, 0])
  }

  @Test func aReaderSeesWhatIsWrittenAfterCopyUp() throws {
    layers.lower("f", "old")
    let client = try layers.client()
    let node = try client.node("f")
    let reader = try client.open(node)
    #expect(try client.read(node, reader) == Array("old".utf8))
    let writer = try client.open(node, 1)
    try client.write(node, writer, 0, Array("new".utf8))
    #expect(try client.read(node, reader) == Array("new".utf8))
  }

  @Test func linksOfALowerFileStayOne() throws {
    layers.lower("a", "text")
    link(layers.lower + "/a", layers.lower + "/b")
    link(layers.lower + "/a", layers.lower + "/c")
    let client = try layers.client()
    #expect(try client.node("a") == client.node("b"))
    try client.put("a", "changed")
    #expect(try client.contents("b") == "changed")
    // Looked up for the first time after the copy.
    #expect(try client.contents("c") == "changed")
    #expect(try client.attributes("c").links == 3)
    client.server.close()
    #expect(layers.contents(layers.upper + "/b") == "changed")
    #expect(layers.contents(layers.upper + "/c") == "changed")
  }

  @Test func removedNamesOfALowerFileCountNoMore() throws {
    layers.lower("a", "text")
    link(layers.lower + "/a", layers.lower + "/b")
    link(layers.lower + "/a", layers.lower + "/c")
    let client = try layers.client()
    #expect(try client.node("a") == client.node("b"))
    try client.unlink("a")
    #expect(try client.attributes("b").links == 2)
    try client.put("b", "changed")
    #expect(try client.attributes("b").links == 2)
    #expect(try client.attributes("c").links == 2)
    #expect(try client.attributes("b").links == 2)
    #expect(try client.contents("c") == "changed")
  }

  /// tar(1) takes a directory whose time of change moves while it is read for one that was changed.
  @Test func copyingUpShowsNoNewTimes() throws {
    layers.lower("d/e/f", "text")
    let client = try layers.client()
    // The host's time of files moves by ticks.
    usleep(20_000)
    func times() throws -> [FUSEClient.Attributes] { try ["d", "d/e"].map { try client.attributes($0) } }
    let before = try times()
    try client.put("d/e/f", "changed")
    let copied = try times()
    #expect(copied.map(\.changed) == before.map(\.changed) && copied.map(\.modified) == before.map(\.modified))
    try client.mkdir("d/e/new")
    let made = try times()
    #expect(made[0].changed == before[0].changed && made[1].changed != before[1].changed)
    try client.set("d", mode: 0o700)
    #expect(try times()[0].changed != before[0].changed && times()[0].modified == before[0].modified)
  }

  @Test(arguments: [true, false])
  func writingBackIsNotWhenAFileWasModified(_ isFromCache: Bool) throws {
    let client = try layers.client()
    func modified() throws -> [Int64] {
      let attributes = try client.attributes("f")
      client.forget(try client.node("f"), 3)
      return [attributes.modified, Int64(attributes.modifiedNanoseconds)]
    }
    let made = try client.create("f")
    let before = [made.entry.attributes.modified, Int64(made.entry.attributes.modifiedNanoseconds)]
    // The host's time of files moves by ticks.
    usleep(20_000)
    try client.write(made.entry.node, made.handle, 0, Array("text".utf8), flags: isFromCache ? 1 : 0)
    client.forget(made.entry.node)
    #expect(try (modified() == before) == isFromCache)
    let node = try client.node("f")
    try client.write(node, 0, 0, Array("more".utf8), flags: 1)
    try client.set(node: node, modified: 5)
    client.forget(node)
    #expect(try modified() == [5, 0])
  }

  @Test func chownToNobodyElseTakesPrivilegesAway() throws {
    layers.lower("f", "text", mode: 0o6755)
    let client = try layers.client()
    #expect(try client.set("f").permissions == 0o755)
    #expect(layers.exists(layers.upper + "/f"))
  }

  @Test func aLinkOfARemovedCopyIsWhatIsBelow() throws {
    layers.lower("a", "text")
    link(layers.lower + "/a", layers.lower + "/b")
    let client = try layers.client()
    let node = try client.node("a")
    let handle = try client.open(node, 2)
    try client.write(node, handle, 0, Array("TEXT".utf8))
    try client.unlink("a")
    #expect(try client.contents("b") == "text")
    #expect(try client.read(node, handle) == Array("TEXT".utf8))
  }

  // MARK: Removing

  @Test func removingLeavesAWhiteoutOnlyWhereSomethingIsBelow() throws {
    layers.lower("d/f", "x")
    let client = try layers.client()
    try client.put("d/own", "x")
    try client.unlink("d/own")
    try client.unlink("d/f")
    #expect(layers.isWhiteout(layers.upper + "/d/f"))
    #expect(!layers.exists(layers.upper + "/d/own"))
    #expect(try client.names("d") == [])
    try client.rmdir("d")
    #expect(layers.isWhiteout(layers.upper + "/d"))
    #expect(throws: Errno.notFound) { try client.rmdir("d") }
    #expect(layers.contents(layers.lower + "/d/f") == "x")
  }

  @Test func aDirectoryMadeInPlaceOfARemovedOneIsOpaque() throws {
    layers.lower("d/old", "x")
    let client = try layers.client()
    #expect(throws: Errno.notEmpty) { try client.rmdir("d") }
    try client.unlink("d/old")
    try client.rmdir("d")
    try client.mkdir("d")
    #expect(try client.names("d") == [])
    let mark = geteuid() == 0 ? "trusted.overlay.opaque" : "user.overlay.opaque"
    #expect(layers.attribute(layers.upper + "/d", mark) == "y")
    client.server.close()
    #expect(try layers.client().names("d") == [])
  }

  @Test func removedFilesLiveOnWhileTheyAreOpen() throws {
    layers.lower("lower", "below")
    let client = try layers.client()
    try client.put("upper", "above")
    for (name, text) in [("lower", "below"), ("upper", "above")] {
      let node = try client.node(name)
      let handle = try client.open(node)
      try client.unlink(name)
      #expect(!client.exists(name))
      #expect(try client.read(node, handle) == Array(text.utf8))
      #expect(try client.attributes(of: node).links == 0)
      #expect(try client.set(node: node, mode: 0o600).permissions == 0o600)
      // Opened again, by what the guest still has of it.
      let writer = try client.open(node, 2)
      try client.write(node, writer, 0, Array("B".utf8))
      #expect(try client.read(node, handle, 0, 1) == Array("B".utf8))
      client.release(node, handle)
      client.release(node, writer)
    }
    #expect(layers.contents(layers.lower + "/lower") == "below")
    client.server.close()
    #expect(layers.isWhiteout(layers.upper + "/lower"))
    #expect(try layers.client().names("/") == [])
  }

  @Test(arguments: [Ownership.real, .recorded])
  func removedDirectoriesLiveOnWhileTheyAreOpen(_ ownership: Ownership) throws {
    layers.lower("d/f", "x")
    let client = try layers.client(ownership: ownership)
    try client.unlink("d/f")
    let (node, inode) = (try client.node("d"), try client.attributes("d").inode)
    try client.rmdir("d")
    let changed = try client.set(node: node, mode: 0o1751, uid: geteuid(), gid: getegid())
    #expect((changed.permissions, changed.links, changed.inode) == (0o1751, 0, inode))
    #expect(try client.attributes(of: node).permissions == 0o1751)
    // Another one takes its name.
    try client.mkdir("d", 0o700)
    #expect(try client.attributes("d").permissions == 0o700)
    #expect(try client.attributes(of: node).permissions == 0o1751)
    client.server.close()
    #expect(try layers.client(ownership: ownership).names("d") == [])
    #expect(!layers.exists(layers.upper + "/.novm.work"))
  }

  // MARK: Renaming

  @Test func renamingALowerFileCopiesUpAndMarksItsPlace() throws {
    layers.lower("d/f", "x")
    let client = try layers.client()
    let inode = try client.attributes("d/f").inode
    try client.rename("d/f", "g")
    #expect(try client.contents("g") == "x")
    #expect(try client.attributes("g").inode == inode)
    #expect(layers.isWhiteout(layers.upper + "/d/f"))
    #expect(try client.names("/") == ["d", "g"])
    // And back, over the whiteout.
    try client.rename("g", "d/f")
    #expect(try client.contents("d/f") == "x")
    #expect(!layers.exists(layers.upper + "/g"))
  }

  @Test func aDirectoryOfALowerLayerDoesNotMove() throws {
    layers.lower("d/f", "x")
    let client = try layers.client()
    try client.mkdir("own")
    #expect(throws: Errno.crossDevice) { try client.rename("d", "e") }
    #expect(throws: Errno.crossDevice) { try client.rename("own", "d", flags: 2) }
    #expect(throws: Errno.notEmpty) { try client.rename("own", "d") }
    try client.rename("own", "e")
    #expect(try client.names("/") == ["d", "e"])
  }

  @Test func aDirectoryMovedOverARemovedOneDoesNotMerge() throws {
    layers.lower("d/f", "x")
    let client = try layers.client()
    try client.mkdir("own")
    try client.put("own/mine", "x")
    try client.unlink("d/f")
    try client.rename("own", "d")
    #expect(try client.names("d") == ["mine"])
    client.server.close()
    #expect(try layers.client().names("d") == ["mine"])
  }

  @Test func flagsOfRename() throws {
    layers.lower("a", "a")
    layers.lower("b", "b")
    let client = try layers.client()
    #expect(throws: Errno.exists) { try client.rename("a", "b", flags: 1) }
    #expect(throws: Errno.notFound) { try client.rename("a", "c", flags: 2) }
    #expect(throws: Errno.invalid) { try client.rename("a", "b", flags: 3) }
    #expect(throws: Errno.invalid) { try client.rename("a", "b", flags: 8) }
    try client.rename("a", "b", flags: 2)
    #expect(try client.contents("a") == "b")
    #expect(try client.contents("b") == "a")
    (client.uid, client.gid) = (1000, 1001)
    try client.rename("a", "c", flags: 4)
    #expect(try client.attributes("a").type == FileType.characterDevice)
    #expect(try client.attributes("a").device == 0)
    #expect(try client.contents("c") == "b")
    client.server.close()
    let left = try layers.client().attributes("a")
    #expect((left.type, left.permissions, left.uid, left.gid) == (FileType.characterDevice, 0, 1000, 1001))
    try client.unlink("a")
    #expect(try client.names("/") == ["b", "c"])
  }

  @Test func aDirectoryDoesNotMoveIntoItself() throws {
    let client = try layers.client()
    try client.mkdir("a")
    try client.mkdir("a/b")
    #expect(throws: Errno.invalid) { try client.rename("a", "a/b/c") }
    #expect(throws: Errno.notEmpty) { try client.rename("a/b", "a") }
  }

  // MARK: Making

  @Test func newFilesBelongToTheCaller() throws {
    let client = try layers.client()
    (client.uid, client.gid) = (1000, 1001)
    let made = try client.create("f", 0o4640)
    #expect((made.entry.attributes.uid, made.entry.attributes.gid) == (1000, 1001))
    #expect(made.entry.attributes.permissions == 0o4640)
    try client.mkdir("shared", 0o770)
    try client.set("shared", mode: 0o2770, gid: 50)
    #expect(try client.mkdir("shared/inner", 0o700).attributes.permissions == 0o2700)
    #expect(try client.create("shared/f").entry.attributes.gid == 50)
    #expect(try client.symlink("shared/l", to: "nowhere").attributes.length == 7)
    #expect(try client.readlink("shared/l") == "nowhere")
    // What removes a name on an overlayfs.
    try client.symlink("shared/m", to: "(novm-whiteout)")
    #expect(try client.readlink("shared/m") == "(novm-whiteout)")
  }

  @Test func specialFilesAreMadeAndNeverOpened() throws {
    mkfifo(layers.lower + "/fifo", 0o644)
    let client = try layers.client()
    let fifo = try client.node("fifo")
    #expect(throws: Errno.noSuchDevice) { try client.read(fifo, 0) }
    #expect(throws: Errno.noSuchDevice) { try client.write(fifo, 0, 0, [1]) }
    for (name, mode, device) in [
      ("c", 0o020666, 0x103), ("b", 0o060600, 0x801), ("p", 0o010644, 0), ("s", 0o140755, 0), ("w", 0o020000, 0),
    ] as [(String, UInt32, UInt32)] {
      let made = try client.mknod(name, mode, device: device)
      #expect((made.attributes.mode, made.attributes.device) == (mode, device))
      #expect(throws: Errno.noSuchDevice) { try client.read(made.node, 0) }
    }
    client.server.close()
    let again = try layers.client()
    #expect(try again.attributes("w").mode == 0o020000)
    #expect(try again.names("/") == ["b", "c", "fifo", "p", "s", "w"])
  }

  @Test func namesMadeTwiceAreRefused() throws {
    layers.lower("f", "")
    let client = try layers.client()
    #expect(throws: Errno.exists) { try client.mkdir("f") }
    #expect(throws: Errno.exists) { try client.symlink("f", to: "x") }
    #expect(throws: Errno.exists) { try client.create("f", flags: 0o200 | 2) }
    try client.put("g", "")
    #expect(throws: Errno.exists) { try client.link("g", "f") }
    #expect(throws: Errno.exists) { try client.mkdir("g") }
  }

  @Test func temporaryFilesCanGetAName() throws {
    let client = try layers.client()
    var arguments = FUSEClient.Bytes()
    for value in [2, 0o600, 0, 0] as [UInt32] { arguments.put(value) }
    arguments.put("/")
    let reply = client.call(.tmpfile, 1, arguments.bytes)
    try #require(reply.error == 0)
    let node: UInt64 = reply.load(at: 0)
    let handle: UInt64 = reply.load(at: 128)
    try client.write(node, handle, 0, Array("late".utf8))
    #expect(try client.names("/") == [])
    var link = FUSEClient.Bytes()
    link.put(node)
    link.put("named")
    #expect(client.call(.link, 1, link.bytes).error == 0)
    #expect(try client.contents("named") == "late")
    #expect(layers.contents(layers.upper + "/named") == "late")
  }

  // MARK: Attributes

  @Test func privilegesGoWhenFilesChange() throws {
    layers.lower("f", "text", mode: 0o6755)
    let client = try layers.client()
    let node = try client.node("f")
    let handle = try client.open(node, 2)
    try client.write(node, handle, 0, [1])
    #expect(try client.attributes("f").permissions == 0o6755)
    try client.write(node, handle, 0, [1], flags: 4)
    #expect(try client.attributes("f").permissions == 0o755)
    try client.set("f", mode: 0o6644)
    try client.set("f", uid: 5)
    // Without execution by the group, setgid means mandatory locking.
    #expect(try client.attributes("f").permissions == 0o2644)
    try client.set("f", mode: 0o4755)
    try client.set("f", size: 1, killPrivileges: true)
    #expect(try client.attributes("f").permissions == 0o755)
  }

  @Test func extendedAttributesAndTheTreesOwnMarks() throws {
    layers.lower("f", "")
    let client = try layers.client()
    try client.setxattr("f", "user.a", "1")
    #expect(try client.getxattr("f", "user.a") == "1")
    #expect(try client.listxattr("f") == ["user.a"])
    for name in ["trusted.novm.stat", "user.containers.override_stat"] {
      #expect(throws: Errno.notPermitted) { try client.setxattr("f", name, "y") }
      #expect(throws: Errno.notPermitted) { try client.removexattr("f", name) }
      #expect(throws: Errno.noData) { try client.getxattr("f", name) }
    }
    try client.setxattr("f", "trusted.t", "2")
    #expect(try client.listxattr("f") == ["trusted.t", "user.a"])
    try client.removexattr("f", "user.a")
    #expect(throws: Errno.noData) { try client.getxattr("f", "user.a") }
    #expect(throws: Errno.notSupported) { try client.setxattr("f", "system.other", "") }
  }

  @Test(.needsRoot, arguments: [Ownership.real, .recorded], [false, true])
  func marksOfTheGuestsOverlayfsAreItsOwn(ownership: Ownership, isShare: Bool) throws {
    layers.lower("d/below", "")
    let shared = layers.base + "/shared"
    layers.put(shared + "/below", "")
    let share = Share(map: LayerMap(guestPath: "/d", hostPath: shared), caching: .always)
    func client() throws -> FUSEClient { try layers.client(shares: isShare ? [share] : [], ownership: ownership) }
    let first = try client()
    for name in ["trusted.overlay.opaque", "user.overlay.opaque"] { try first.setxattr("d", name, "y") }
    try first.setxattr("d/below", "trusted.overlay.redirect", "/elsewhere")
    for client in [first, try client()] {
      #expect(try client.names("d") == ["below"])
      #expect(try client.listxattr("d") == ["trusted.overlay.opaque", "user.overlay.opaque"])
      #expect(try client.getxattr("d", "trusted.overlay.opaque") == "y")
      #expect(try client.getxattr("d/below", "trusted.overlay.redirect") == "/elsewhere")
    }
    try first.removexattr("d", "trusted.overlay.opaque")
    #expect(try client().listxattr("d") == ["user.overlay.opaque"])
  }

  // MARK: Maps

  @Test func mapsMayLieAnywhere() throws {
    layers.mkdir(layers.lower + "/usr/lib")
    layers.symlink(layers.lower + "/lib", to: "usr/lib")
    layers.put(layers.base + "/modules/kernel/m.ko", "module")
    layers.mkdir(layers.base + "/home")
    let tree = try LayeredTree(
      reads: [
        LayerMap(guestPath: "/", hostPath: layers.lower),
        LayerMap(guestPath: "/lib/modules/6.1", hostPath: layers.base + "/modules"),
      ],
      writes: [
        LayerMap(guestPath: "/", hostPath: layers.upper),
        LayerMap(guestPath: "/home/user", hostPath: layers.base + "/home"),
      ])
    let client = FUSEClient(FileSystemServer(tree))
    #expect(try client.contents("usr/lib/modules/6.1/kernel/m.ko") == "module")
    #expect(try client.names("/") == ["home", "lib", "usr"])
    #expect(try client.names("usr/lib") == ["modules"])
    #expect(throws: Errno.busy) { try client.rmdir("home/user") }
    #expect(throws: Errno.busy) { try client.rename("home", "elsewhere") }
    try client.put("home/user/f", "mine")
    #expect(layers.contents(layers.base + "/home/f") == "mine")
    #expect(throws: Errno.crossDevice) { try client.rename("home/user/f", "f") }
    #expect(throws: Errno.crossDevice) { try client.link("home/user/f", "f") }
    // A directory of no layer is made when something comes into it.
    try client.put("home/other", "root's")
    #expect(layers.contents(layers.upper + "/home/other") == "root's")
    try client.put("usr/lib/modules/6.1/kernel/n.ko", "new")
    #expect(layers.contents(layers.upper + "/usr/lib/modules/6.1/kernel/n.ko") == "new")
  }

  @Test func aFreshWriteMapIsWhatItCovers() throws {
    layers.mkdir(layers.lower + "/tmp")
    chmod(layers.lower, 0o751)
    chmod(layers.lower + "/tmp", 0o1777)
    chmod(layers.upper, 0o700)
    layers.mkdir(layers.base + "/scratch")
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
      writes: [
        LayerMap(guestPath: "/", hostPath: layers.upper),
        LayerMap(guestPath: "/tmp", hostPath: layers.base + "/scratch"),
      ])
    let client = FUSEClient(FileSystemServer(tree))
    #expect(try client.attributes("/").permissions == 0o751)
    #expect(try client.attributes("tmp").permissions == 0o1777)
    // What is in use keeps what it has.
    try client.set("/", mode: 0o711)
    try client.put("f", "")
    client.server.close()
    #expect(try layers.client().attributes("/").permissions == 0o711)
  }

  @Test func hiddenPathsAreNotShown() throws {
    layers.lower("etc/secret", "x")
    layers.lower("etc/open", "x")
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
      writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], hides: ["/etc/secret"])
    let client = FUSEClient(FileSystemServer(tree))
    #expect(try client.names("etc") == ["open"])
    #expect(!client.exists("etc/secret"))
    try client.put("etc/secret", "the guest's")
    #expect(try client.contents("etc/secret") == "the guest's")
    #expect(try client.names("etc") == ["open", "secret"])
  }

  @Test func badMapsAreNamed() throws {
    let file = layers.lower("file", "")
    let root = LayerMap(guestPath: "/", hostPath: layers.lower)
    func failure(_ reads: [LayerMap], _ writes: [LayerMap] = []) -> TreeError? {
      do throws(TreeError) {
        _ = try LayeredTree(reads: reads, writes: writes)
        return nil
      } catch {
        return error
      }
    }
    #expect(failure([LayerMap(guestPath: "/", hostPath: file)]) == .notADirectory(hostPath: Path(file)))
    #expect(failure([LayerMap(guestPath: "/", hostPath: "/nowhere")]) == .unreadable(hostPath: "/nowhere", .notFound))
    #expect(failure([LayerMap(guestPath: "/sub", hostPath: layers.lower)]) == .noRoot)
    #expect(failure([root, LayerMap(guestPath: "sub", hostPath: layers.lower)]) == .badGuestPath("sub"))
    #expect(failure([root, LayerMap(guestPath: "/file/x", hostPath: layers.lower)]) == .badGuestPath("/file/x"))
    layers.symlink(layers.lower + "/loop", to: "loop")
    #expect(
      failure([root, LayerMap(guestPath: "/loop/x", hostPath: layers.lower)]) == .tooManySymlinks(guestPath: "/loop/x"))
  }

  @Test func leftoversOfAKilledMachineGo() throws {
    layers.put(layers.upper + "/.novm.work/7", "half a copy")
    layers.mkdir(layers.upper + "/.novm.work/8/deep")
    let client = try layers.client()
    #expect(!layers.exists(layers.upper + "/.novm.work"))
    #expect(try client.names("/") == [])
  }

  @Test func nothingOfTheTreesOwnStays() throws {
    layers.lower("f", "")
    let client = try layers.client()
    try client.unlink("f")
    try client.mkdir("f")
    #expect(!client.exists(".novm.work"))
    #expect(throws: Errno.notPermitted) { try client.mkdir(".novm.work") }
    #expect(try client.names("/") == ["f"])
    client.server.close()
    #expect(!layers.exists(layers.upper + "/.novm.work"))
  }
}

import FUSE
import Foundation
import Glibc
import Host
import Testing

@testable import FileSystem

/// Single files as layers (docs/decisions/0038-mapped-files.md).
struct FileMapTests {
  let layers = Layers()
  private var file: String { layers.base + "/given/app.conf" }

  init() {
    layers.put(layers.base + "/given/app.conf", "given")
    layers.put(layers.base + "/given/beside", "not given")
  }

  private func share(_ guest: String, isReadOnly: Bool = false, place: Path? = nil) -> Share {
    var map = LayerMap(guestPath: guest, hostPath: file)
    map.place = place
    return Share(map: map, isReadOnly: isReadOnly)
  }

  /// As editors do it.
  private func replace(_ text: String) {
    layers.put(file + ".new", text)
    #expect(Glibc.rename(file + ".new", file) == 0)
  }

  private func reading(_ guest: String, hides: [Path] = []) throws -> FUSEClient {
    FUSEClient(
      FileSystemServer(
        try LayeredTree(
          reads: [LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: guest, hostPath: file)],
          writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], hides: hides)))
  }

  @Test func aFileOfAReadLayer() throws {
    layers.lower("etc/app.ini", "below")
    layers.lower("etc/other", "other")
    let client = try reading("/etc/app.ini")
    #expect(try client.names("etc") == ["app.ini", "other"])
    #expect(try client.contents("etc/app.ini") == "given")
    // What is written is the guest's.
    try client.put("etc/app.ini", "changed")
    #expect(try client.contents("etc/app.ini") == "changed")
    #expect(layers.contents(layers.upper + "/etc/app.ini") == "changed" && layers.contents(file) == "given")
    try client.unlink("etc/app.ini")
    #expect(!client.exists("etc/app.ini") && layers.isWhiteout(layers.upper + "/etc/app.ini"))
    #expect(try client.names("etc") == ["other"])
    // A directory in its place has nothing of those below.
    try client.mkdir("etc/app.ini")
    #expect(try client.names("etc/app.ini") == [])
  }

  @Test func aFileWhereThereIsNothing() throws {
    let client = try reading("/a/b/c")
    #expect(try client.names("") == ["a"] && client.names("a/b") == ["c"])
    #expect(try client.list("a/b", isPlus: false).map(\.name).sorted() == ["c"])
    #expect(try client.contents("a/b/c") == "given")
    #expect(throws: Errno.exists) { try client.mkdir("a/b/c") }
    try client.rename("a/b/c", "moved")
    #expect(try client.contents("moved") == "given")
    #expect(try client.names("a/b") == [] && layers.isWhiteout(layers.upper + "/a/b/c"))
    #expect(try !reading("/a/b/c", hides: ["/a/b/c"]).exists("a/b/c"))
  }

  @Test func aLinkInItsPlaceIsNotFollowed() throws {
    layers.symlink(layers.lower + "/etc/resolv.conf", to: "../run/resolv.conf")
    #expect(try reading("/etc/resolv.conf").contents("etc/resolv.conf") == "given")
  }

  @Test func whatReplacesASharedFileOnTheHostShows() throws {
    layers.put(layers.upper + "/etc/app.ini", "above")
    let client = try layers.client(shares: [share("/etc/app.ini")])
    let node = try client.node("etc/app.ini")
    #expect(try client.contents("etc/app.ini") == "given")
    let handle = try client.open(node)
    replace("replaced")
    // By the node that the guest knows, as a bind mount of it does; also for who has it open.
    #expect(try client.attributes(of: node).length == 8)
    #expect(try client.read(node, handle) == Array("replaced".utf8))
    client.release(node, handle)
    replace("again")
    #expect(try client.node("etc/app.ini") == node && client.contents("etc/app.ini") == "again")
    #expect(try client.names("etc") == ["app.ini"])
    unlink(file)
    #expect(throws: Errno.notFound) { try client.attributes(of: node) }
    #expect(!client.exists("etc/app.ini"))
    #expect(symlink("beside", file) == 0)
    #expect(throws: Errno.notFound) { try client.attributes(of: node) }
    unlink(file)
    replace("back")
    #expect(try client.contents("etc/app.ini") == "back")
  }

  @Test func whatTheGuestWritesGoesToTheFile() throws {
    let client = try layers.client(shares: [share("/app"), share("/fixed", isReadOnly: true)])
    try client.put("app", "by the guest")
    #expect(layers.contents(file) == "by the guest")
    #expect(try client.contents("fixed") == "by the guest")
    replace("new")
    try client.put("app", "written to the new one")
    #expect(layers.contents(file) == "written to the new one")
    #expect(throws: Errno.readOnly) { try client.put("fixed", "x") }
    // It is there to stay, and no way to what lies beside it.
    #expect(throws: Errno.busy) { try client.unlink("app") }
    #expect(throws: Errno.busy) { try client.rename("app", "b") }
    try client.put("b", "x")
    #expect(throws: Errno.busy) { try client.rename("b", "app") }
    #expect(throws: Errno.crossDevice) { try client.link("app", "c") }
    #expect(!client.exists("beside") && !client.exists("app/beside"))
    #expect(!layers.exists(layers.upper + "/app"))
  }

  @Test func filesAloneAreADevice() throws {
    let tree = try LayeredTree(reads: [], shares: [share("/0"), share("/1", isReadOnly: true)])
    let client = FUSEClient(FileSystemServer(tree))
    #expect(try client.names("") == ["0", "1"])
    #expect(try client.contents("0") == "given")
    try client.put("0", "written")
    #expect(try client.contents("1") == "written" && layers.contents(file) == "written")
    #expect(throws: Errno.readOnly) { try client.put("2", "x") }
    #expect(throws: Errno.readOnly) { try client.put("1", "x") }
  }

  @Test func aFileThatIsHeldIsThatFile() throws {
    let held = try FileDescriptor.open(Path(file), OpenFlags.path)
    let tree = try LayeredTree(reads: [], shares: [share("/0", place: "/proc/self/fd/\(held.raw)")])
    let server = FileSystemServer(tree)
    #expect(server.roots.map(\.isFile) == [true])
    let client = FUSEClient(server)
    try client.put("0", "written")
    #expect(layers.contents(file) == "written")
    replace("another")
    #expect(try client.contents("0") == "written")
  }

  @Test func isFoundOnTheHost() throws {
    let view = try TreeView(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/etc/x", hostPath: file)])
    let item = try #require(try view.item(at: Array("/etc/x".utf8)))
    #expect(item.origins.map(\.path) == [Array("app.conf".utf8)])
    #expect(item.origins.map(\.map.hostPath) == [Path(layers.base + "/given")])
  }

  @Test func onlyRegularFilesAreFiles() throws {
    #expect(mkfifo(layers.base + "/fifo", 0o600) == 0)
    for (path, kind) in [(layers.base + "/fifo", "fifo"), (layers.base + "/none", "none")] {
      #expect(throws: TreeError.self, "\(kind)") {
        try LayeredTree(
          reads: [LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/x", hostPath: path)])
      }
    }
    #expect(throws: TreeError.notADirectory(hostPath: Path(file))) {
      try LayeredTree(
        reads: [LayerMap(guestPath: "/", hostPath: layers.lower)], writes: [LayerMap(guestPath: "/x", hostPath: file)])
    }
  }
}

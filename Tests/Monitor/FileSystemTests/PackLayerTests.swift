import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Packs as layers: files that are hard links only to be stored once, and owners in attributes, for root too.
struct PackLayerTests {
  let layers = Layers()

  private func client(_ ownership: Ownership) throws -> FUSEClient {
    FUSEClient(
      FileSystemServer(
        try LayeredTree(
          reads: [LayerMap(guestPath: "/", hostPath: layers.lower, isPack: true)],
          writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], ownership: ownership)),
      offering: FUSEClient.linux)
  }

  private func mark(_ path: String, _ name: String, _ value: String) {
    layers.setAttribute(layers.lower + "/" + path, name, value)
  }

  @Test(arguments: [Ownership.real, .recorded])
  func namesOfOneFileAreSeveralFiles(ownership: Ownership) throws {
    if ownership == .real { try Need.toGoOn("root", Need.isRoot) }
    layers.lower("d/a", "text")
    layers.lower("d/single", "text")
    link(layers.lower + "/d/a", layers.lower + "/d/b")
    link(layers.lower + "/d/a", layers.lower + "/c")
    let client = try client(ownership)
    let paths = ["d/a", "d/b", "c", "d/single"]
    var attributes = try paths.map { try client.attributes($0) }
    #expect(Set(attributes.map(\.inode)).count == 4)
    #expect(attributes.allSatisfy { $0.links == 1 })
    try client.put("d/a", "changed")
    #expect(try client.contents("d/a") == "changed")
    #expect(try client.contents("d/b") == "text" && client.contents("c") == "text")
    // The numbers stay, through the change and to the next machine.
    let numbers = attributes.map(\.inode)
    client.server.close()
    let again = try self.client(ownership)
    attributes = try paths.map { try again.attributes($0) }
    #expect(attributes.map(\.inode) == numbers)
    #expect(attributes.allSatisfy { $0.links == 1 })
    #expect(try again.contents("d/b") == "text")
  }

  @Test(arguments: [Ownership.real, .recorded])
  func ownersAreRecorded(ownership: Ownership) throws {
    if ownership == .real { try Need.toGoOn("root", Need.isRoot) }
    layers.lower("f", "text", mode: 0o711)
    mark("f", "user.containers.override_stat", "33:34:04711:file")
    mark("f", "user.containers.override_trusted.x", "caps")
    mark("f", "user.plain", "1")
    layers.lower("null")
    mark("null", "user.containers.override_stat", "0:0:0666:char-1-3")
    let client = try client(ownership)
    var attributes = try client.attributes("f")
    #expect((attributes.uid, attributes.gid, attributes.permissions) == (33, 34, 0o4711))
    #expect(try client.attributes("null").mode == 0o020666)
    #expect(try client.listxattr("f").sorted() == ["trusted.x", "user.plain"])
    #expect(try client.getxattr("f", "trusted.x") == "caps")
    #expect(throws: Errno.noData) { try client.getxattr("f", "user.containers.override_stat") }
    // Its copy has them all.
    try client.setxattr("f", "user.touch", "1")
    attributes = try client.attributes("f")
    #expect((attributes.uid, attributes.gid, attributes.permissions) == (33, 34, 0o4711))
    #expect(try client.listxattr("f").sorted() == ["trusted.x", "user.plain", "user.touch"])
  }
}

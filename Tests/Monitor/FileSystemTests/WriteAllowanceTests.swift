import FUSE
import Foundation
import Host
import Testing

@testable import FileSystem

/// What a write map may hold.
struct WriteAllowanceTests {
  private let layers = Layers()
  private static let unit = 64 << 10

  private func served(bytes: Int = 1 << 20, files: UInt64? = nil) throws -> (client: FUSEClient, tree: LayeredTree) {
    var map = LayerMap(guestPath: "/", hostPath: layers.upper)
    map.limit = WriteLimit(bytes: UInt64(bytes), files: files)
    let tree = try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: layers.lower)], writes: [map])
    return (FUSEClient(FileSystemServer(tree)), tree)
  }

  /// Writes pieces until one does not fit.
  private func fill(_ client: FUSEClient, _ entry: FUSEClient.Entry, _ handle: UInt64, from start: Int = 0) throws
    -> Int
  {
    let piece = [UInt8](repeating: 1, count: Self.unit)
    for index in start..<1000 {
      do { try client.write(entry.node, handle, UInt64(index * Self.unit), piece) } catch {
        #expect(error as? Errno == .noSpace)
        return index
      }
    }
    return 1000
  }

  /// What du(1) says of the map, as far as it is counted.
  private func used() throws -> UInt64 {
    let root = try FileDescriptor.open(Path(layers.upper), OpenFlags.directory)
    return try WriteAllowance(WriteLimit(bytes: 1 << 40), root: root.raw).usage.bytes
  }

  @Test func whatIsBeyondDoesNotFit() throws {
    let (client, tree) = try served()
    let (entry, handle) = try client.create("f")
    let count = try fill(client, entry, handle)
    #expect((14...16).contains(count))
    // As far as it goes, it is the host's own account.
    #expect(try tree.usage[0].bytes == used())
    #expect(tree.usage[0].bytes <= 1 << 20)
    // What is there can be written again, and again; a hole cannot be filled.
    for _ in 0..<100 { try client.write(entry.node, handle, 0, [UInt8](repeating: 2, count: Self.unit)) }
    try client.set("f", size: 1 << 30)
    #expect(throws: Errno.noSpace) {
      try client.write(entry.node, handle, 1 << 29, [UInt8](repeating: 2, count: Self.unit))
    }
    #expect(throws: Errno.noSpace) {
      try client.setxattr("f", "user.a", String(repeating: "x", count: 60_000))
    }
    // Cut off, there is room.
    try client.set("f", size: 0)
    #expect(try fill(client, entry, handle) == count)
  }

  @Test func whatIsRemovedCountsForAsLongAsItIsOpen() throws {
    let (client, tree) = try served()
    let before = tree.usage[0].bytes
    for _ in 0..<4 {
      let (entry, handle) = try client.create("f")
      let count = try fill(client, entry, handle)
      #expect(count > 12)
      try client.unlink("f")
      #expect(throws: Errno.noSpace) { try client.create("g") }
      client.release(entry.node, handle)
      client.forget(entry.node, 1000)
      #expect(tree.usage[0].bytes == before)
      #expect(tree.usage[0].files == 0)
    }
  }

  @Test func renamingOverAndLinksAreFollowed() throws {
    let (client, tree) = try served()
    for round in 0..<50 {
      try client.put("a", String(repeating: "a", count: 200_000))
      try client.put("b", String(repeating: "b", count: 200_000))
      try client.link("a", "c")
      let first = try client.node("a")
      try client.rename("b", "a")
      try client.unlink("c")
      client.forget(first, 1000)
      #expect(tree.usage[0].files == 1, "round \(round)")
      #expect(try tree.usage[0].bytes == used())
    }
  }

  @Test func namesAreCounted() throws {
    layers.put(layers.lower + "/below", "x")
    layers.put(layers.upper + "/old", "x")
    let (client, tree) = try served(files: 4)
    #expect(tree.usage[0].files == 1)
    try client.mkdir("d")
    try client.symlink("l", to: "x")
    try client.link("old", "h")
    #expect(throws: Errno.noSpace) { try client.link("old", "i") }
    #expect(throws: Errno.noSpace) { try client.create("f") }
    #expect(throws: Errno.noSpace) { try client.put("below", "y") }
    // Removing takes no room, here a whiteout.
    try client.unlink("below")
    try client.unlink("h")
    _ = try client.create("f")
    try client.rmdir("d")
    #expect(tree.usage[0].files == 3)
    let reply = client.call(.statfs, 1, [])
    #expect(reply.load(UInt64.self, at: 24) == 4 && reply.load(UInt64.self, at: 32) == 1)
  }

  @Test func copyingUpTakesRoom() throws {
    layers.put(layers.lower + "/large", String(repeating: "x", count: 2 << 20))
    layers.put(layers.lower + "/small", "x")
    let (client, tree) = try served()
    #expect(throws: Errno.noSpace) { try client.set("large", mode: 0o600) }
    try client.put("small", "y")
    #expect(tree.usage[0].files == 1)
    #expect(try tree.usage[0].bytes == used())
    let reply = client.call(.statfs, 1, [])
    #expect(reply.load(UInt64.self, at: 0) * UInt64(reply.load(UInt32.self, at: 48)) == 1 << 20)
  }

  @Test func limitsAreRead() {
    #expect(WriteLimit("2G,files=1000") == WriteLimit(bytes: 2 << 30, files: 1000))
    #expect(WriteLimit("1T") == WriteLimit(bytes: 1 << 40))
    for text in ["", "1", "1G,", "1G,files=0", "1G,files", "1G,names=3", "-1G", "1G,files=1,files=2", "9999999T"] {
      #expect(WriteLimit(text) == nil, "\(text)")
    }
    #expect(WriteLimit("3M,files=2")?.description == "3145728,files=2")
  }
}

extension LayeredTree {
  /// What the write maps hold that have a limit, in their order.
  fileprivate var usage: [(bytes: UInt64, files: UInt64)] {
    layers.compactMap(\.allowance).map { ($0.usage.bytes, $0.usage.files) }
  }
}

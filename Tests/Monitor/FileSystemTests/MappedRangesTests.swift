import FUSE
import Foundation
import GuestMemory
import Host
import Testing

@testable import FileSystem

/// The DAX window: pieces of files, seen through guest memory.
struct MappedRangesTests {
  let layers = Layers()
  private let window: FileWindow
  private static let range = UInt64(MappedRanges.rangeSize)

  init() throws { window = try FileWindow(count: 4 * MappedRanges.rangeSize) }

  private func client() throws -> FUSEClient {
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
      writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], window: window)
    return FUSEClient(FileSystemServer(tree), offering: FUSEClient.linux.union([.mapAlignment, .inodeDAX]))
  }

  /// What the guest sees in the window.
  private func seen(at offset: UInt64, count: Int) -> String {
    let bytes = unsafe window.bytes[Int(offset)..<Int(offset) + count]
    return String(decoding: bytes, as: UTF8.self)
  }

  private func map(
    _ client: FUSEClient, _ node: UInt64, at offset: UInt64, from fileOffset: UInt64 = 0,
    count: UInt64 = MappedRangesTests.range, isWritable: Bool = false
  ) -> Errno? {
    var arguments = FUSEClient.Bytes()
    for value in [.max, fileOffset, count, isWritable ? 3 : 2, offset] { arguments.put(value) }
    let error = client.call(.setupMapping, node, arguments.bytes).error
    return error == 0 ? nil : Errno(error)
  }

  private func unmap(_ client: FUSEClient, _ offset: UInt64, _ count: UInt64 = MappedRangesTests.range) -> Errno? {
    var arguments = FUSEClient.Bytes()
    arguments.put(UInt32(1))
    for value in [offset, count] { arguments.put(value) }
    // As Linux sends it, without padding behind the count.
    let error = client.call(.removeMapping, 1, arguments.bytes).error
    return error == 0 ? nil : Errno(error)
  }

  @Test func filesShowInTheWindow() throws {
    layers.lower("f", "text")
    let client = try client()
    #expect(client.flags.isSuperset(of: [.mapAlignment, .inodeDAX]))
    let node = try client.node("f")
    #expect(map(client, node, at: MappedRangesTests.range) == nil)
    #expect(seen(at: MappedRangesTests.range, count: 4) == "text")
    #expect(unmap(client, MappedRangesTests.range) == nil)
    #expect(seen(at: MappedRangesTests.range, count: 4) == "\0\0\0\0")
    #expect(map(client, node, at: 0) == nil)
    client.call(.destroy, 0, [])
    #expect(seen(at: 0, count: 4) == "\0\0\0\0")
  }

  /// Who resets the device has nothing open and mapped any more, and mounts the tree anew.
  @Test func aResetOfTheDeviceEndsTheSession() throws {
    layers.lower("f", "text")
    let server = try client().server
    let offered = FUSEClient.withOpens.union([.mapAlignment, .inodeDAX])
    for _ in 0..<2 {
      let client = FUSEClient(server, offering: offered)
      let node = try client.node("f")
      let handle = try client.open(node)
      #expect(try client.read(node, handle) == Array("text".utf8))
      #expect(map(client, node, at: 0) == nil)
      #expect(server.tree.files.count == 1 && server.settings.isMounted)
      server.disconnected()
      #expect(server.tree.files.count == 0 && !server.settings.isMounted)
      #expect(seen(at: 0, count: 4) == "\0\0\0\0")
      #expect(throws: Errno.stale) { try client.read(node, handle) }
    }
  }

  @Test func aCopyTakesTheFilesPlaceInTheWindow() throws {
    let path = layers.lower("f", String(repeating: "x", count: 3 << 20))
    let client = try client()
    let node = try client.node("f")
    #expect(map(client, node, at: 0) == nil)
    #expect(map(client, node, at: MappedRangesTests.range, from: MappedRangesTests.range) == nil)
    // By a request, and through the window.
    try client.write(node, 0, 2 << 20, Array("written".utf8))
    #expect(seen(at: MappedRangesTests.range, count: 8) == "writtenx")
    #expect(map(client, node, at: 0, isWritable: true) == nil)
    unsafe window.bytes.storeBytes(of: UInt8(ascii: "W"), toByteOffset: 1, as: UInt8.self)
    #expect(try client.read(node, 0, 0, 3) == Array("xWx".utf8))
    #expect(layers.contents(path)?.prefix(3) == "xxx")
    #expect(layers.contents(layers.upper + "/f")?.prefix(3) == "xWx")
    // It has grown where it was mapped before.
    try client.write(node, 0, 3 << 20, Array("more".utf8))
    #expect(seen(at: MappedRangesTests.range + (1 << 20), count: 4) == "more")
  }

  @Test func mappingForWritingCopiesUp() throws {
    layers.lower("f", "text")
    let client = try client()
    let node = try client.node("f")
    #expect(map(client, node, at: 0, isWritable: true) == nil)
    unsafe window.bytes.storeBytes(of: UInt8(ascii: "T"), as: UInt8.self)
    #expect(layers.contents(layers.upper + "/f") == "Text")
    #expect(layers.contents(layers.lower + "/f") == "text")
  }

  @Test func whatTheHostCutsOffReadsAsZeroOnceTheGuestRanIntoIt() throws {
    let path = layers.lower("f", String(repeating: "x", count: 2 << 20))
    layers.lower("g", String(repeating: "y", count: 6000))
    let client = try client()
    let (node, other) = (try client.node("f"), try client.node("g"))
    #expect(map(client, node, at: 0) == nil)
    #expect(map(client, other, at: MappedRangesTests.range) == nil)
    // Nothing was cut off: a guest that stumbles now stumbles over something else, such as the end of a file.
    let before = client.server.windowMends
    #expect(!client.server.mendWindow(after: before))
    #expect(truncate(path, 5000) == 0)
    #expect(client.server.mendWindow(after: before))
    // Each of these would be a signal without.
    #expect(seen(at: 4090, count: 6) == "xxxxxx")
    #expect(seen(at: 4999, count: 2) == "x\0")
    #expect(seen(at: 8192, count: 2) == "\0\0")
    #expect(seen(at: (2 << 20) - 1, count: 1) == "\0")
    // A second vCPU that ran into the same tries again; after that there is nothing to mend.
    #expect(client.server.mendWindow(after: before))
    #expect(!client.server.mendWindow(after: client.server.windowMends))
    // What is cut off again is mended again.
    #expect(truncate(path, 0) == 0)
    #expect(client.server.mendWindow(after: client.server.windowMends))
    #expect(seen(at: 0, count: 1) == "\0")
    // Mapped anew, it is the file.
    layers.lower("f", String(repeating: "z", count: 2 << 20))
    #expect(unmap(client, 0) == nil)
    #expect(map(client, try client.node("f"), at: 0) == nil)
    #expect(seen(at: (2 << 20) - 1, count: 1) == "z")
  }

  @Test func whatTheHostCutsOffIsMendedBeforeTheGuestRunsIntoIt() throws {
    let path = layers.lower("f", String(repeating: "x", count: 5 << 20))
    let client = try client()
    let node = try client.node("f")
    for index in 0..<3 as Range<UInt64> {
      #expect(map(client, node, at: index * MappedRangesTests.range, from: index * MappedRangesTests.range) == nil)
    }
    let watch = try #require(client.server.windowWatch)
    var ready = pollfd(fd: watch, events: Int16(POLLIN), revents: 0)
    #expect(poll(&ready, 1, 0) == 0)
    #expect(truncate(path, 3 << 20) == 0)
    #expect(poll(&ready, 1, 1000) == 1)
    client.server.mendShortened()
    #expect(seen(at: (3 << 20) - 1, count: 2) == "x\0")
    #expect(seen(at: (5 << 20) - 1, count: 1) == "\0")
    #expect(poll(&ready, 1, 0) == 0)
    // No longer mapped, it is no longer watched.
    for index in 0..<3 as Range<UInt64> { #expect(unmap(client, index * MappedRangesTests.range) == nil) }
    #expect(truncate(path, 10) == 0)
    client.server.mendShortened()
    #expect(poll(&ready, 1, 100) == 0)
  }

  @Test func whatTheGuestCutsOffAndWritesAgainIsSeen() throws {
    layers.lower("f", String(repeating: "x", count: 2 << 20))
    let client = try client()
    let node = try client.node("f")
    #expect(map(client, node, at: 0, isWritable: true) == nil)
    try client.set(node: node, size: 10)
    client.server.mendShortened()
    try client.write(node, 0, 1 << 20, Array("again".utf8))
    #expect(seen(at: 1 << 20, count: 5) == "again")
    #expect(seen(at: 9, count: 2) == "x\0")
    // Also when the host was in between.
    #expect(truncate(layers.upper + "/f", 10) == 0)
    client.server.mendShortened()
    #expect(seen(at: 1 << 20, count: 5) == "\0\0\0\0\0")
    try client.write(node, 0, 1 << 20, Array("again".utf8))
    #expect(seen(at: 1 << 20, count: 5) == "again")
  }

  @Test func aWritableRangeStaysWritableWhenItIsMended() throws {
    layers.lower("f", String(repeating: "x", count: 1 << 20))
    let client = try client()
    let node = try client.node("f")
    #expect(map(client, node, at: 0, isWritable: true) == nil)
    #expect(truncate(layers.upper + "/f", 4096) == 0)
    #expect(client.server.mendWindow(after: client.server.windowMends))
    unsafe window.bytes.storeBytes(of: UInt8(ascii: "W"), toByteOffset: 8192, as: UInt8.self)
    #expect(seen(at: 8192, count: 2) == "W\0")
    // It was cut off, and stays so.
    #expect(try client.attributes("f").length == 4096)
  }

  @Test func onlyLargeFilesOfReadLayersAreToBeMapped() throws {
    layers.lower("large", String(repeating: "x", count: 1 << 20))
    layers.lower("small", "x")
    let client = try client()
    try client.put("new", String(repeating: "x", count: 1 << 20))
    for (name, flag) in [("large", 2), ("small", 0), ("new", 0)] as [(String, UInt32)] {
      let reply = client.call(.lookup, 1, Array(name.utf8) + [0])
      #expect(reply.load(UInt32.self, at: 40 + 84) == flag)
    }
  }

  @Test func whatDoesNotFitIsRefused() throws {
    layers.lower("f", "text")
    layers.lower("d/f", "")
    let client = try client()
    let node = try client.node("f")
    let range = MappedRangesTests.range
    for (offset, from, count) in [
      (4 * range, 0, range), (.max, 0, range), (4096, 0, 4096), (0, 1, range), (0, 0, 0), (0, 0, 2 * range),
      (0, 0, 4095), (0, .max, range), (0, UInt64(Int64.max) & ~4095, range), (0, 0, .max),
    ] as [(UInt64, UInt64, UInt64)] {
      #expect(map(client, node, at: offset, from: from, count: count) == Errno.invalid)
    }
    #expect(map(client, try client.node("d"), at: 0) == Errno.isDirectory)
    #expect(map(client, 999, at: 0) == Errno.stale)
    for (offset, count) in [(4 * range, range), (1, range), (0, .max), (0, 0)] as [(UInt64, UInt64)] {
      #expect(unmap(client, offset, count) == Errno.invalid)
    }
    // More than came.
    var arguments = FUSEClient.Bytes()
    arguments.put(UInt32.max)
    #expect(client.call(.removeMapping, 1, arguments.bytes).error == Errno.invalid.code)
    // Without a window there is no such thing.
    let without = try layers.client()
    #expect(map(without, try without.node("f"), at: 0) == Errno.notImplemented)
  }
}

import Foundation
import Host
import HostTesting
import Testing

import class Host.Thread

@testable import FileSystem

/// Trees that are deeper than a stack, than descriptors and than any path.
struct DeepTreeTests {
  let layers = Layers()

  /// On a thread such as serves a guest, which has 512 KiB of stack.
  private func onWorker(_ body: @escaping @Sendable () throws -> Void) throws {
    final class Box: @unchecked Sendable { var error: (any Error)? }
    let box = Box()
    try Thread("worker") { do { try body() } catch { box.error = error } }.join()
    if let error = box.error { throw error }
  }

  private struct Served: @unchecked Sendable {
    let client: FUSEClient
  }

  @Test func aCopyUpFromTheBottom() throws {
    let depth = 5000
    DeepTree.make(layers.lower, depth: depth, file: "f", "below")
    let served = Served(client: try layers.client())
    let upper = layers.upper
    try onWorker {
      let client = served.client
      var directory: UInt64 = 1
      for _ in 0..<depth { directory = try client.lookUp(directory, "d").node }
      let file = try client.lookUp(directory, "f").node
      try client.write(file, 0, 0, Array("above".utf8))
      #expect(try client.read(file, 0) == Array("above".utf8))
      client.server.close()
    }
    let root = try FileDescriptor.open(upper, OpenFlags.directory)
    var descent = DirectoryDescent(from: root.raw)
    let name = Array("d".utf8) + [0]
    for _ in 0..<depth { try descent.enter(name.span) }
    #expect(try FileCalls.names(descent.current) == [Array("f".utf8)])
    try DirectoryRemoval.removeContents(of: root.raw, isForced: false)
    let lower = try FileDescriptor.open(layers.lower, OpenFlags.directory)
    try DirectoryRemoval.removeContents(of: lower.raw, isForced: false)
  }

  /// What the guest knew of it goes without a frame for each level, forgotten or not.
  @Test(arguments: [true, false]) func theEndOfATree(_ isClosed: Bool) throws {
    let depth = 20_000
    DeepTree.make(layers.lower, depth: depth)
    var tree: LayeredTree? = try layers.tree()
    final class Kept: @unchecked Sendable { var tree: LayeredTree? }
    let kept = Kept()
    var node = tree!.root
    let name = Array("d".utf8) + [0]
    for _ in 0..<depth {
      var status = FileStatus()
      node = try #require(try tree!.lookUp(node, name.span, &status))
    }
    node = tree!.root
    if isClosed { tree!.nodes.forgetAll() }
    kept.tree = tree
    tree = nil
    try onWorker { kept.tree = nil }
    let lower = try FileDescriptor.open(layers.lower, OpenFlags.directory)
    try DirectoryRemoval.removeContents(of: lower.raw, isForced: false)
  }

  /// As a machine that was killed may leave it.
  @Test func leftovers() throws {
    layers.mkdir(layers.upper + "/.novm.work/1")
    DeepTree.make(layers.upper + "/.novm.work/1", depth: 5000)
    let upper = layers.upper
    let layers = layers
    try onWorker { _ = try layers.tree() }
    #expect(try FileManager.default.contentsOfDirectory(atPath: upper) == [])
  }
}

import FUSE
import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// Layers whose host fails at any step of any request: the guest sees the error, the tree stays what it was.
@Suite(.needsRoot, .needs(ofHost: "/dev/fuse", TroubledMount.isPossible), .serialized)
struct FailingHostTests {
  private static let errors = [EIO, EDQUOT, ENOSPC, ENFILE, ENOMEM, ESTALE, EACCES]

  /// Random operations, of each of which one step fails. One that failed has changed no name that the guest sees.
  @Test(arguments: 1...5)
  func aFailedOperationChangesNothing(seed: UInt64) throws {
    try tryOperations(seed: seed, failures: 1) { operation, error, before, after in
      switch operation {
      // Several requests; or done, but it cannot be told what the file is like now, and to repeat it does no harm.
      case .write, .truncate, .chmod: #expect(before.keys.sorted() == after.keys.filter { before[$0] != nil }.sorted())
      default: #expect(before == after, "\(operation): \(error.description)")
      }
    }
  }

  /// From some step on everything fails, also what would take back the steps before.
  @Test(arguments: 6...8)
  func aHostThatFailsFromThenOn(seed: UInt64) throws {
    try tryOperations(seed: seed, failures: .max) { _, _, _, _ in }
  }

  /// What there is in the end is there for the next machine too, and the layer below is what it was.
  private func tryOperations(
    seed: UInt64, failures: Int, whenFailed: (Operation, Errno, [String: String], [String: String]) -> Void
  ) throws {
    let layers = Layers()
    var random = ModelTests.Random(state: seed)
    for _ in 0..<20 { Snapshot.populate([layers.lower], layers, &random) }
    let below = Snapshot.take(plain: layers.lower, "")
    let store = layers.base + "/store"
    layers.mkdir(store)
    let mount = try TroubledMount(store, at: layers.upper)
    defer { mount.abort() }
    var client = try layers.client()
    var seen = try Snapshot.take(client, "")
    for step in 0..<100 {
      let operation = Operation.random(using: &random)
      let trouble = TroubledMount.Trouble(
        errors: FailingHostTests.errors, after: Int(random.next() % 24), count: failures)
      mount.begin(trouble, seed: seed << 32 | UInt64(step))
      let error = operation.run(on: client)
      mount.begin()
      let now = try Snapshot.take(client, "")
      if let error { whenFailed(operation, error, seen, now) }
      seen = now
      if step % 25 == 24 {
        client.server.close()
        client = try layers.client()
        #expect(try Snapshot.take(client, "") == seen, "seed \(seed), step \(step), by the next machine")
      }
    }
    #expect(mount.failureCount > 10)
    client.server.close()
    #expect(Snapshot.take(plain: layers.lower, "") == below)
    #expect(!layers.exists(store + "/.novm.work"))
  }

  /// Data that cannot be read or written: the guest gets that very error, and what can be read is right.
  @Test(arguments: [EIO, EDQUOT, ENOSPC])
  func errorsOfDataReachTheGuest(error: Int32) throws {
    let layers = Layers()
    let store = layers.base + "/store"
    layers.mkdir(store)
    let mount = try TroubledMount(store, at: layers.upper)
    defer { mount.abort() }
    layers.lower("below", "text")
    let client = try layers.client()
    try client.put("f", "text")
    let node = try client.node("f")
    mount.begin(TroubledMount.Trouble(errors: [error], opcodes: [.write, .copyFileRange, .fallocate]))
    #expect(throws: Errno(error)) { try client.write(node, 0, 0, [1]) }
    // The copy cannot be made.
    #expect(throws: Errno(error)) { try client.write(try client.node("below"), 0, 0, [1]) }
    #expect(throws: Errno(error)) { try client.setxattr("below", "user.a", "b") }
    mount.begin(TroubledMount.Trouble(errors: [error], opcodes: [.read]))
    #expect(throws: Errno(error)) { try client.read(node, 0) }
    mount.begin(TroubledMount.Trouble(errors: [error], opcodes: [.fsync]))
    #expect(client.call(.fsync, node, [UInt8](repeating: 0, count: 16)).error == error)
    mount.begin()
    #expect(try client.contents("f") == "text")
    #expect(try client.contents("below") == "text")
    #expect(client.call(.fsync, node, [UInt8](repeating: 0, count: 16)).error == 0)
    client.server.close()
  }

  /// A layer that goes while it is used, and whose server answers no more: an error each, and the others go on.
  @Test func aLayerThatIsUnmounted() throws {
    let layers = Layers()
    let (disk, below) = (layers.base + "/disk", layers.base + "/below")
    layers.mkdir(disk)
    layers.mkdir(below + "/d")
    layers.put(below + "/d/f", "text")
    layers.lower("g", "other")
    let mount = try TroubledMount(below, at: disk)
    let tree = try LayeredTree(
      reads: [
        LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/m", hostPath: disk),
      ], writes: [LayerMap(guestPath: "/", hostPath: layers.upper)])
    let client = FUSEClient(FileSystemServer(tree))
    let node = try client.node("m/d/f")
    #expect(try client.read(node, 0) == Array("text".utf8))
    mount.abort()
    #expect(throws: (any Error).self) { try client.contents("m/d/f") }
    #expect(throws: (any Error).self) { try client.put("m/d/f", "changed") }
    _ = try? client.names("m/d")
    _ = try? client.attributes("m")
    #expect(try client.contents("g") == "other")
    try client.put("g", "changed")
    #expect(try client.contents("g") == "changed")
    client.server.close()
  }
}

import Foundation
import Host
import Testing

@testable import FileSystem

/// Several threads at one server, over the same few names: the queues of a machine with several vCPUs.
struct ConcurrencyTests {
  @Test(arguments: 1...3) func threadsAtTheSameNames(seed: UInt64) throws {
    let layers = Layers()
    for directory in ["a", "b", "c"] {
      for name in ["a", "b", "c", "d"] { layers.lower("\(directory)/\(name)", "lower \(directory)\(name)") }
    }
    let server = FileSystemServer(try layers.tree())
    // Each makes a session of its own, so all come before the first request.
    let clients = (0..<4).map { _ in Shared(FUSEClient(server)) }
    DispatchQueue.concurrentPerform(iterations: clients.count) { index in
      let client = clients[index].client
      var random = ModelTests.Random(state: seed &* 1000 &+ UInt64(index))
      for _ in 0..<400 {
        switch Int.random(in: 0..<5, using: &random) {
        case 0: _ = try? client.list(Operation.path(using: &random), isPlus: Bool.random(using: &random))
        case 1: _ = try? client.contents(Operation.path(using: &random))
        case 2: _ = try? client.setxattr(Operation.path(using: &random), "user.k", "v")
        default: _ = Operation.random(using: &random).run(on: client)
        }
      }
    }
    let after = try snapshot(FUSEClient(server), "")
    server.close()
    #expect(!layers.exists(layers.upper + "/.novm.work"))
    // What a new machine finds is what this one showed.
    #expect(try snapshot(layers.client(), "") == after)
  }

  /// Clients are used by one thread at a time.
  final class Shared: @unchecked Sendable {
    let client: FUSEClient
    init(_ client: FUSEClient) { self.client = client }
  }

  private func snapshot(_ client: FUSEClient, _ path: String) throws -> [String: String] {
    var all: [String: String] = [:]
    for entry in try client.list(path) {
      let inner = path + "/" + entry.name
      let attributes = try client.attributes(inner)
      all[inner] = "\(attributes.mode) \(attributes.inode) "
      if attributes.type == FileType.directory { all.merge(try snapshot(client, inner)) { first, _ in first } }
      if attributes.type == FileType.regular { all[inner]! += try client.contents(inner) }
    }
    return all
  }
}

import FUSE
import Foundation
import Glibc
import HostTesting
import Testing

@testable import FileSystem

/// Two machines with one share, of which one does nothing but exchange names there, files for links that lead out, directories
/// for links, files for FIFOs, while the other changes what it finds, and a third copies it up from a layer.
struct RacingMachinesTests {
  private let layers = Layers()
  private var shared: String { layers.base + "/shared" }
  private var outside: String { layers.base + "/outside" }

  private struct Served: @unchecked Sendable {
    let client: FUSEClient
  }

  /// All that a change of a file or directory leaves a trace in: whatever it is, its time of change is another.
  private func traces() -> [[Int]] {
    ["", "/secret", "/d", "/d/kept"].map { path in
      var status = stat()
      lstat(outside + path, &status)
      return [
        Int(status.st_ctim.tv_sec), status.st_ctim.tv_nsec, Int(status.st_mode), Int(status.st_uid),
        Int(status.st_nlink),
        status.st_size,
      ]
    }
  }

  private func machine(_ ownership: Ownership) throws -> Served {
    let share = Share(map: LayerMap(guestPath: "/s", hostPath: shared), caching: .none)
    return Served(client: try layers.client(shares: [share], ownership: ownership))
  }

  @Test(arguments: [Ownership.real, .recorded]) func nothingOutsideChanges(_ ownership: Ownership) throws {
    if ownership == .real { try Need.toGoOn("root", Need.isRoot) }
    let rounds = ProcessInfo.processInfo.environment["NOVM_TEST_FULL"] == "1" ? 10_000 : 500
    layers.put(shared + "/f", "mine")
    layers.put(shared + "/d/g", "mine")
    layers.put(outside + "/secret", "secret", mode: 0o600)
    layers.put(outside + "/d/kept", "kept", mode: 0o600)
    try #require(mkfifo(shared + "/p", 0o666) == 0)
    let watches = try [outside + "/secret", outside + "/d/kept", shared + "/p"].map { try #require(OpenWatch($0)) }
    usleep(20_000)
    let before = traces()

    let (other, mine) = (try machine(ownership), try machine(ownership))
    try other.client.symlink("s/l", to: "../outside/secret")
    try other.client.symlink("s/k", to: "../outside/d")
    let stop = Stop()
    let ended = DispatchSemaphore(value: 0)
    Foundation.Thread.detachNewThread {
      while !stop.isSet {
        for (one, another) in [("s/f", "s/l"), ("s/d", "s/k"), ("s/f", "s/p")] {
          try? other.client.rename(one, another, flags: 2)
        }
      }
      ended.signal()
    }
    let (layers, shared) = (layers, shared)
    // Linux 6.6 has a call that cannot go wrong: without it.
    let done = try OldHost.without(OldHost.fchmodat2) {
      var done = 0
      for round in 0..<rounds {
        done += Self.round(mine.client, round, uid: ownership == .real ? 0 : 33)
        if round % 10 == 0 { try Self.copyUp(layers, shared, "\(layers.base)/upper-\(round)", ownership) }
      }
      return done
    }
    stop.set()
    ended.wait()
    // Most of it is about what is what it was to be.
    #expect(done > rounds)
    #expect(traces() == before)
    #expect(!watches.contains { $0.hasSeenOne })
  }

  private final class Stop: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false
    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
  }

  /// - Returns: how much of it went well.
  private static func round(_ client: FUSEClient, _ round: Int, uid: UInt32) -> Int {
    let changes: [() throws -> Void] = [
      { try client.set("s/f", mode: 0o4700 | UInt32(round & 0o77), uid: uid, gid: 44, modified: Int64(round)) },
      { try client.set("s/f", size: UInt64(round & 15)) },
      { try client.put("s/f", "mine") },
      { _ = try client.contents("s/f") },
      { try client.setxattr("s/f", "user.a", "b") },
      { try client.removexattr("s/f", "user.a") },
      { try client.link("s/f", "s/h") },
      { try client.unlink("s/h") },
      { try client.put("s/d/n", "mine") },
      { try client.set("s/d/n", mode: 0o666) },
      { try client.unlink("s/d/n") },
      { try client.mkdir("s/d/m") },
      { try client.set("s/d", mode: 0o777, uid: uid) },
      { try client.setxattr("s/d", "user.a", "b") },
      { try client.rmdir("s/d/m") },
    ]
    return changes.count { (try? $0()) != nil }
  }

  /// From a layer that changes meanwhile, which it must not; but what comes of it stays in the write map.
  private static func copyUp(_ layers: Layers, _ shared: String, _ upper: String, _ ownership: Ownership) throws {
    layers.mkdir(upper)
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: shared)], writes: [LayerMap(guestPath: "/", hostPath: upper)],
      ownership: ownership)
    let client = FUSEClient(FileSystemServer(tree))
    let changes: [() throws -> Void] = [
      { try client.put("f", "copy") }, { try client.put("d/g", "copy") }, { try client.set("f", mode: 0o600) },
      { try client.set("d", mode: 0o700) }, { try client.rename("f", "e") },
    ]
    for change in changes { try? change() }
    client.server.close()
    try FileManager.default.removeItem(atPath: upper)
  }
}

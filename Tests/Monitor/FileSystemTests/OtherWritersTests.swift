import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// A share that somebody else writes while the guest uses it: a second machine, or a user of the host.
struct OtherWritersTests {
  let layers = Layers()
  private var shared: String { layers.base + "/shared" }

  init() { layers.mkdir(layers.base + "/shared") }

  private func client(ownership: Ownership = .forThisUser) throws -> FUSEClient {
    try layers.client(
      shares: [Share(map: LayerMap(guestPath: "/s", hostPath: shared), caching: .none)], ownership: ownership)
  }

  private struct Served: @unchecked Sendable {
    let client: FUSEClient
  }

  private func status(_ path: String) -> stat {
    var status = stat()
    lstat(path, &status)
    return status
  }

  /// The file's name leads out of the share half of the time.
  @Test(arguments: [Ownership.real, .recorded]) func noChangeFollowsALink(_ ownership: Ownership) throws {
    if ownership == .real { try Need.toGoOn("root", Need.isRoot) }
    layers.put(shared + "/f", "mine")
    let secret = layers.put(layers.base + "/secret", "secret", mode: 0o600)
    layers.symlink(shared + "/link", to: secret)
    let served = Served(client: try client(ownership: ownership))
    let node = try served.client.node("s/f")
    let before = status(secret)
    let swapper = Swapper(shared + "/f", shared + "/link")
    defer { swapper.end() }
    let uid: UInt32 = ownership == .real ? 0 : 33
    let changes = try OldHost.without(OldHost.fchmodat2) {
      let client = served.client
      var changes = 0
      for round in 0..<4000 {
        do {
          try client.set(
            node: node, mode: 0o4700 | UInt32(round & 0o77), uid: uid, gid: 44, modified: Int64(round + 1))
          changes += 1
        } catch let error as Errno where error == .stale {}
        client.server.tree.files.dropIdle()
      }
      return changes
    }
    #expect(changes > 0)
    let now = status(secret)
    #expect(now.st_mode == before.st_mode && now.st_uid == before.st_uid && now.st_gid == before.st_gid)
    #expect(now.st_mtim.tv_sec == before.st_mtim.tv_sec)
  }

  /// The other file has its inode: it is found by that, whichever name it has when all is over.
  @Test func theOtherFileStaysAsItIs() throws {
    layers.put(shared + "/f", "mine")
    layers.put(shared + "/other", "another's", mode: 0o600)
    let other = try FileDescriptor.open(shared + "/other", OpenFlags.read)
    let client = try client()
    let node = try client.node("s/f")
    let before = try FileCalls.status(other.raw)
    let swapper = Swapper(shared + "/f", shared + "/other")
    for round in 0..<4000 {
      _ = try? client.set(node: node, mode: 0o644 | UInt32(round & 0o22), modified: Int64(round + 1))
      client.server.tree.files.dropIdle()
    }
    swapper.end()
    let now = try FileCalls.status(other.raw)
    #expect(now.mode == before.mode && now.modified == before.modified && now.uid == before.uid)
    #expect(try FileCalls.attributeNames(other.raw) == [])
  }

  @Test func whatTookTheNameIsNotOpened() throws {
    layers.put(shared + "/f", "mine")
    try #require(mkfifo(shared + "/fifo", 0o666) == 0)
    let watch = try #require(OpenWatch(shared + "/fifo"))
    let client = try client()
    let node = try client.node("s/f")
    let swapper = Swapper(shared + "/f", shared + "/fifo")
    var reads = 0
    for round in 0..<4000 {
      if round % 2 == 0 {
        if (try? client.read(node, 0)) != nil { reads += 1 }
      } else {
        _ = try? client.write(node, 0, 0, Array("mine".utf8))
      }
      client.server.tree.files.dropIdle()
    }
    swapper.end()
    #expect(reads > 0)
    #expect(!watch.hasSeenOne)
  }

  /// Who had it before could change what is made in it.
  @Test(.needsRoot) func aWorkDirectoryOfAnothers() throws {
    layers.lower("f", "text")
    let client = try layers.client()
    layers.mkdir(layers.upper + "/.novm.work")
    try #require(chown(layers.upper + "/.novm.work", 12345, 12345) == 0)
    #expect(throws: Errno.notPermitted) { try client.put("f", "changed") }
  }
}

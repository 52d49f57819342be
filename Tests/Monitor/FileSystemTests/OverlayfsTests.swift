import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// The kernel's overlayfs as the measure: the same random operations on it and on our tree over the same layers give the same,
/// and each shows the other's write directory as the other does.
@Suite(.needsRoot, .needs(ofHost: "a kernel with overlayfs", Overlay.isAvailable))
struct OverlayfsTests {
  @Test(arguments: 101...106) func agreesWithTheKernel(seed: UInt64) throws {
    let layers = Layers()
    var random = ModelTests.Random(state: seed)
    let second = layers.base + "/second"
    layers.mkdir(second)
    for root in [layers.lower, second] {
      for _ in 0..<15 { Snapshot.populate([root], layers, &random) }
    }
    let (theirs, ours) = (layers.base + "/theirs", layers.upper)
    layers.mkdir(theirs)
    let maps = [LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/", hostPath: second)]
    func client(_ upper: String) throws -> FUSEClient {
      FUSEClient(
        FileSystemServer(try LayeredTree(reads: maps, writes: [LayerMap(guestPath: "/", hostPath: upper)])))
    }

    let mine = try client(ours)
    var after: [String: String] = [:]
    try Overlay.mounted(layers, lower: [second, layers.lower], upper: theirs) { mount in
      for step in 0..<400 {
        let operation = Operation.random(using: &random)
        let (got, expected) = (operation.run(on: mine), operation.run(onPlain: mount))
        try #require(
          (got == nil) == (expected == nil),
          "seed \(seed), step \(step): \(operation): \(String(describing: got)), \(String(describing: expected))")
      }
      after = Snapshot.take(plain: mount, "")
      #expect(try Snapshot.take(mine, "") == after)
    }
    mine.server.close()
    // What we wrote, as the kernel reads it, and what it wrote, as we do.
    try Overlay.mounted(layers, lower: [second, layers.lower], upper: ours) { mount in
      #expect(Snapshot.take(plain: mount, "") == after)
    }
    #expect(try Snapshot.take(client(theirs), "") == after)
  }

  /// Where the host's own directories are an overlayfs, as in a container, which keeps whiteouts and marks for itself.
  @Test(arguments: 201...204, [Ownership.real, .recorded])
  func worksOnTheKernels(seed: UInt64, ownership: Ownership) throws {
    let layers = Layers()
    try Overlay.mounted(layers, lower: [layers.lower], upper: layers.upper) { mount in
      try ModelTests().behaves(seed: seed, ownership, in: mount)
      let inner = Layers(in: mount)
      inner.lower("gone")
      let client = try inner.client(ownership: ownership)
      try client.unlink("gone")
      #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: inner.upper + "/gone")) == "(novm-whiteout)")
      #expect(throws: Errno.notPermitted) { try client.symlink("link", to: "(novm-whiteout)") }
      #expect(try client.names("/") == [])
      client.server.close()
    }
  }

  /// Half of a file or of a directory does not pass for the whole.
  @Test func whatGoesOnBelowIsRefused() throws {
    let layers = Layers()
    layers.lower("file", String(repeating: "content", count: 1000))
    layers.lower("d/inner", "")
    for name in ["small", "away", "linked", "whole"] { layers.lower(name, "content") }
    let options = "index=off,redirect_dir=on,metacopy=on"
    try Overlay.mounted(layers, lower: [layers.lower], upper: layers.upper, options: options) { mount in
      try #require(mkdir(mount + "/new", 0o755) == 0 && mkdir(mount + "/other", 0o755) == 0)
      for name in ["file", "small", "away", "linked"] { try #require(chmod(mount + "/" + name, 0o600) == 0) }
      try #require(rename(mount + "/d", mount + "/moved") == 0 && rename(mount + "/away", mount + "/new/away") == 0)
      try #require(link(mount + "/linked", mount + "/other/linked") == 0)
      try Data("changed".utf8).write(to: URL(fileURLWithPath: mount + "/whole"))
    }
    let client = try layers.client()
    #expect(try client.contents("whole") == "changed")
    // Alone, too.
    let upper = FUSEClient(
      FileSystemServer(try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: layers.upper)])))
    for name in ["file", "moved", "small", "new/away", "linked", "other/linked"] {
      #expect(throws: Errno.notPermitted, "\(name)") { try client.contents(name) }
      #expect(throws: Errno.notPermitted, "\(name), alone") { try upper.contents(name) }
    }
    #expect(try upper.contents("whole") == "changed")
  }
}

/// Mounts of the kernel's overlayfs.
enum Overlay {
  static let isAvailable: Bool = {
    guard geteuid() == 0 else { return false }
    let layers = Layers()
    layers.mkdir(layers.base + "/theirs")
    return (try? mounted(layers, lower: [layers.lower], upper: layers.base + "/theirs") { _ in }) != nil
  }()

  static func mounted(
    _ layers: Layers, lower: [String], upper: String, options: String = "index=off,redirect_dir=off,metacopy=off",
    _ body: (String) throws -> Void
  ) throws {
    let (work, target) = (layers.base + "/work", layers.base + "/mount")
    layers.mkdir(work)
    layers.mkdir(target)
    let directories = "lowerdir=\(lower.joined(separator: ":")),upperdir=\(upper),workdir=\(work)"
    guard mount("overlay", target, "overlay", 0, "\(directories),\(options)") == 0 else { throw Errno(errno) }
    defer { umount(target) }
    try body(target)
  }
}

import FUSE
import Foundation
import Glibc
import Host
import HostTesting
import Testing

@testable import FileSystem

/// What the host cannot give is an errno in the guest, and nothing half done.
struct HostTroubleTests {
  let layers = Layers()

  @Test(.needsRoot) func aFullFileSystem() throws {
    try #require(mount("tmpfs", layers.upper, "tmpfs", 0, "size=1m,mode=755") == 0)
    defer { umount2(layers.upper, Int32(MNT_DETACH)) }
    layers.lower("big", String(repeating: "x", count: 2 << 20))
    layers.lower("small", "small")
    let client = try layers.client()
    let (entry, handle) = try client.create("f")
    let page = [UInt8](repeating: 7, count: 1 << 16)
    var written = 0
    #expect(throws: Errno.noSpace) {
      while written < 64 { written += try client.write(entry.node, handle, UInt64(written) << 16, page) == 0 ? 0 : 1 }
    }
    #expect(written >= 8)
    // A copy that does not fit is not there at all.
    #expect(throws: Errno.noSpace) { try client.setxattr("big", "user.a", "b") }
    #expect(try client.attributes("big").length == 2 << 20)
    #expect(!layers.exists(layers.upper + "/big"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: layers.upper + "/.novm.work").isEmpty)
    // What is removed is room again.
    try client.unlink("f")
    client.forget(entry.node, .max)
    try client.put("small", "changed")
    #expect(layers.contents(layers.upper + "/small") == "changed")
    client.server.close()
  }

  /// The guest has more open than it may: that is its error, and the monitor's descriptors are not all gone.
  @Test func filesThatAreHeldOpen() throws {
    let budget = DescriptorBudget(limit: 1024)
    let count = 600
    for index in 0..<count { layers.lower("d/\(index)", "text") }
    let share = Share(map: LayerMap(guestPath: "/", hostPath: Path(layers.lower)))
    let tree = try LayeredTree(reads: [], shares: [share], budget: budget)
    let client = FUSEClient(FileSystemServer(tree), offering: FUSEClient.withOpens)
    var held: [(UInt64, UInt64)] = []
    var refused = 0
    for index in 0..<count {
      let node = try client.node("d/\(index)")
      do {
        held.append((node, try client.open(node)))
      } catch {
        #expect(error as? Errno == Errno(ENFILE))
        refused += 1
      }
    }
    #expect(refused >= count - budget.files)
    #expect(tree.files.count <= budget.files)
    #expect(throws: Errno(ENFILE)) { try client.create("d/new") }
    #expect(!layers.exists(layers.lower + "/d/new"))
    // Those that are open can be read, and one that is closed makes room for another.
    #expect(try client.read(held[0].0, held[0].1, 0, 4) == Array("text".utf8))
    client.release(held[0].0, held[0].1)
    _ = try client.open(try client.node("d/\(count - 1)"))
    // As does one that is forgotten before the guest says that it is closed.
    client.forget(held[1].0, .max)
    _ = try client.open(try client.node("d/\(count - 2)"))
    #expect(throws: Errno(ENFILE)) { try client.open(try client.node("d/\(count - 3)")) }
  }

  /// What is removed and never given back takes no more room than the descriptors that it may have.
  @Test func filesThatAreRemovedAndNeverForgotten() throws {
    let budget = DescriptorBudget(limit: 128)
    let base = LayerMap(guestPath: "/", hostPath: Path(layers.lower))
    let tree = try LayeredTree(
      reads: [base], writes: [LayerMap(guestPath: "/", hostPath: Path(layers.upper))], budget: budget)
    let client = FUSEClient(FileSystemServer(tree))
    let before = tree.nodes.count
    for index in 0..<500 {
      _ = try client.create("f\(index)")
      try client.unlink("f\(index)")
      try client.mkdir("d\(index)")
      try client.rmdir("d\(index)")
    }
    #expect(tree.nodes.count <= before + budget.removed)
    #expect(tree.files.count <= budget.files)
    // Nothing leads to them, and no number of one is another's.
    let new = try client.create("new").entry.node
    _ = try client.write(new, 0, 0, [1])
    // Those that have never had a name are bounded, too.
    var refused = 0
    for _ in 0..<500 {
      var arguments = FUSEClient.Bytes()
      for value in [UInt32(O_RDWR), 0o644, 0, 0] { arguments.put(value) }
      let error = client.call(.tmpfile, 1, arguments.bytes).error
      #expect(error == 0 || error == ENFILE)
      refused += error == ENFILE ? 1 : 0
    }
    #expect(refused >= 500 - budget.removed)
  }

  /// What the guest has open it can use, however much else it has removed; then it is gone.
  @Test func filesThatAreOpenStayWhenTheyAreRemoved() throws {
    let budget = DescriptorBudget(limit: 128)
    let share = Share(map: LayerMap(guestPath: "/", hostPath: Path(layers.lower)))
    let tree = try LayeredTree(reads: [], shares: [share], budget: budget)
    let client = FUSEClient(FileSystemServer(tree), offering: FUSEClient.withOpens)
    for index in 0..<2 * budget.removed {
      try client.mkdir("d\(index)")
      try client.rmdir("d\(index)")
    }
    let before = tree.nodes.count
    var held: [(node: UInt64, handle: UInt64)] = []
    for index in 0..<10 {
      try client.put("f\(index)", "text")
      let node = try client.node("f\(index)")
      held.append((node, try client.open(node, index % 2 == 0 ? 0 : 2)))
      if index % 3 == 0 {
        // By somebody else, who has made another.
        try FileManager.default.removeItem(atPath: "\(layers.lower)/f\(index)")
        layers.lower("f\(index)", "other")
        #expect(try client.contents("f\(index)") == "other")
      } else {
        try client.unlink("f\(index)")
      }
    }
    // Opening one for writing, too, takes the place of what was open of it.
    #expect(openAndRemoved() == 10)
    for (index, file) in held.enumerated() where index % 2 == 0 {
      let handle = try client.open(file.node, 2)
      #expect(try client.read(file.node, handle) == Array("text".utf8))
      client.release(file.node, handle)
    }
    #expect(openAndRemoved() == 10)
    for (index, file) in held.enumerated() {
      #expect(try client.read(file.node, file.handle) == Array("text".utf8))
      if index % 2 == 1 {
        try client.write(file.node, file.handle, 0, Array("next".utf8))
        #expect(try client.read(file.node, file.handle) == Array("next".utf8))
      }
      #expect(try client.attributes(of: file.node).length == 4)
    }
    for file in held {
      client.release(file.node, file.handle)
      #expect(throws: Errno.stale) { try client.read(file.node, file.handle) }
    }
    // But for those that somebody else made.
    #expect(tree.nodes.count == before + 4 && tree.files.count <= 4)
  }

  /// This process's descriptors of files that were in the layer.
  private func openAndRemoved() -> Int {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return all.count { number in
      let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")) ?? ""
      return target.hasPrefix(layers.lower + "/f") && target.hasSuffix(" (deleted)")
    }
  }

  /// Nor does what closes it meanwhile, as a copy-up does, take its last descriptor.
  @Test func filesThatAreOpenStayWhenTheyAreCopiedUpAndRemoved() throws {
    layers.lower("f", "text")
    let budget = DescriptorBudget(limit: 128)
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: Path(layers.lower))],
      writes: [LayerMap(guestPath: "/", hostPath: Path(layers.upper))], budget: budget)
    let client = FUSEClient(FileSystemServer(tree), offering: FUSEClient.withOpens)
    for index in 0..<2 * budget.removed {
      try client.mkdir("d\(index)")
      try client.rmdir("d\(index)")
    }
    let node = try client.node("f")
    let handle = try client.open(node)
    try client.set("f", mode: 0o600)
    try client.unlink("f")
    #expect(try client.read(node, handle) == Array("text".utf8))
    #expect(try client.attributes(of: node).permissions == 0o600)
    client.release(node, handle)
    #expect(throws: Errno.stale) { try client.read(node, handle) }
    #expect(tree.files.count == 0)
  }

  @Test func aLayerThatIsTakenAway() throws {
    layers.lower("d/f", "text")
    layers.lower("d/g", "text")
    let client = try layers.client()
    let (directory, file) = (try client.node("d"), try client.node("d/f"))
    #expect(try client.read(file, 0) == Array("text".utf8))
    try FileManager.default.removeItem(atPath: layers.lower)
    // What was open can still be read; what has to be found again is stale or not there.
    #expect(try client.read(file, 0) == Array("text".utf8))
    #expect(throws: Errno.notFound) { try client.lookUp(directory, "g") }
    #expect(throws: Errno.notFound) { try client.node("d/f") }
    _ = try? client.names("d")
    try client.put("new", "x")
    #expect(try client.contents("new") == "x")
  }

  @Test func aHostThatReadsInSmallPieces() throws {
    // /proc gives a page with each call, as 9p may: that is not the end of the file.
    let tree = try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: "/proc")])
    let client = FUSEClient(FileSystemServer(tree))
    let file = try FileDescriptor.open("/proc/kallsyms", OpenFlags.read)
    var whole: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while whole.count < 32768 {
      let count = try FileCalls.read(file.raw, at: UInt64(whole.count), into: &buffer)
      try #require(count > 0)
      whole += buffer[..<count]
    }
    let read = try client.read(try client.node("kallsyms"), 0, 0, 32768)
    #expect(read.count == 32768)
    #expect(read == Array(whole.prefix(32768)))
  }

  @Test func aFileThatIsShortenedWhileItIsCopied() throws {
    let path = layers.lower("f", String(repeating: "x", count: 1 << 16))
    let client = try layers.client()
    let node = try client.node("f")
    #expect(truncate(path, 10) == 0)
    try client.write(node, 0, 20, [1])
    #expect(try client.contents("f").utf8.count == 21)
  }

  @Test func moreFilesThanDescriptors() throws {
    // Every file is read, and every directory was in use, whatever the caches hold.
    for number in 0..<300 { layers.lower("d\(number)/f", "\(number)") }
    let tree = try layers.tree()
    let client = FUSEClient(FileSystemServer(tree))
    for number in 0..<300 {
      #expect(try client.contents("d\(number)/f") == "\(number)")
      if number % 50 == 0 { tree.files.dropIdle() }
    }
    #expect(tree.files.count <= tree.files.capacity)
    let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    #expect(open < tree.files.capacity + tree.cache.capacity + 200)
  }
}

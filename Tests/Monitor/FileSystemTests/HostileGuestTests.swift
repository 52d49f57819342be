import FUSE
import Foundation
import Host
import Testing

@testable import FileSystem

/// A guest that speaks raw FUSE reaches nothing outside its tree and breaks nothing.
struct HostileGuestTests {
  let layers = Layers()

  private func name(_ bytes: [UInt8]) -> [UInt8] { bytes + [0] }

  @Test func namesThatLeadElsewhereAreRefused() throws {
    layers.put(layers.base + "/secret", "secret")
    layers.lower("d/f", "")
    let client = try layers.client()
    let d = try client.node("d")
    for bad in ["", ".", "..", "../secret", "/etc/passwd", "d/f", "a/"] {
      #expect(client.call(.lookup, d, name(Array(bad.utf8))).error == Errno.invalid.code)
      #expect(client.call(.unlink, d, name(Array(bad.utf8))).error == Errno.invalid.code)
      #expect(client.call(.rmdir, d, name(Array(bad.utf8))).error == Errno.invalid.code)
      #expect(client.call(.mkdir, d, [0, 0, 0, 0, 0, 0, 0, 0] + name(Array(bad.utf8))).error == Errno.invalid.code)
      #expect(client.call(.symlink, d, name(Array(bad.utf8)) + name([65])).error == Errno.invalid.code)
    }
    #expect(client.call(.lookup, d, [65, 66]).error == Errno.invalid.code)
    #expect(client.call(.lookup, d, name([UInt8](repeating: 65, count: 256))).error == Errno.nameTooLong.code)
    #expect(layers.contents(layers.base + "/secret") == "secret")
  }

  @Test func symlinksAreNeverFollowedOnTheHost() throws {
    layers.put(layers.base + "/outside/secret", "secret")
    layers.symlink(layers.lower + "/out", to: layers.base + "/outside")
    layers.symlink(layers.lower + "/file", to: layers.base + "/outside/secret")
    let client = try layers.client()
    let out = try client.node("out")
    #expect(throws: Errno.notDirectory) { try client.lookUp(out, "secret") }
    let file = try client.node("file")
    #expect(throws: Errno.noSuchDevice) { try client.read(file, 0) }
    #expect(throws: Errno.noSuchDevice) { try client.write(file, 0, 0, [1]) }
    #expect(throws: Errno.invalid) { try client.set("file", size: 0) }
    try? client.setxattr("file", "user.a", "b")
    #expect(layers.attribute(layers.base + "/outside/secret", "user.a") == nil)
    #expect(layers.contents(layers.base + "/outside/secret") == "secret")
    // One that the guest makes itself is no better.
    try client.symlink("mine", to: layers.base + "/outside")
    let mine = try client.node("mine")
    #expect(throws: Errno.notDirectory) { try client.lookUp(mine, "secret") }
  }

  @Test func directoriesSwappedForSymlinksOnTheHostDoNotLeadOut() throws {
    layers.put(layers.base + "/outside/f", "secret")
    layers.lower("d/e/f", "inside")
    let client = try layers.client()
    let d = try client.node("d")
    rename(layers.lower + "/d/e", layers.lower + "/d/gone")
    layers.symlink(layers.lower + "/d/e", to: layers.base + "/outside")
    let e = try client.lookUp(d, "e")
    #expect(e.attributes.type == FileType.symlink)
    #expect(throws: Errno.notDirectory) { try client.lookUp(e.node, "f") }
  }

  @Test func theHostsKernelIsNotPartOfALayer() throws {
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: "/")], writes: [LayerMap(guestPath: "/", hostPath: layers.upper)])
    let client = FUSEClient(FileSystemServer(tree))
    for view in ["proc", "sys"] {
      #expect(try client.names("/").contains(view))
      #expect(try client.attributes(view).type == FileType.directory)
      #expect(try client.names(view) == [])
    }
    let proc = try client.node("proc")
    #expect(throws: Errno.notFound) { try client.lookUp(proc, "1") }
    #expect(throws: Errno.notFound) { try client.lookUp(proc, "self") }
    // What the guest puts there is its own.
    try client.put("proc/own", "x")
    #expect(try client.names("proc") == ["own"])
    #expect(layers.contents(layers.upper + "/proc/own") == "x")
    // Unless it is what was asked for.
    let asked = FUSEClient(
      FileSystemServer(try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: "/proc")])))
    #expect(try asked.contents("version").hasPrefix("Linux"))
  }

  @Test func racingRenamesDoNotLeadOut() throws {
    layers.put(layers.base + "/outside/f", "secret")
    layers.lower("d/e/f", "inside")
    layers.symlink(layers.base + "/link", to: layers.base + "/outside")
    let (lower, base) = (layers.lower, layers.base)
    let stop = Date().addingTimeInterval(0.5)
    let swapper = Thread {
      while Date() < stop {
        rename(lower + "/d/e", base + "/kept")
        rename(base + "/link", lower + "/d/e")
        rename(lower + "/d/e", base + "/link")
        rename(base + "/kept", lower + "/d/e")
      }
    }
    swapper.start()
    var reads = 0
    // A busy host may not get to it in time: when nothing is renamed any more it is there.
    while Date() < stop || (reads == 0 && Date() < stop + 30) {
      // A new server each time: nothing is open yet, every step is walked anew.
      guard let client = try? layers.client(), let text = try? client.contents("d/e/f") else { continue }
      #expect(text == "inside")
      reads += 1
    }
    #expect(reads > 0)
    while swapper.isExecuting { usleep(1000) }
  }

  @Test func whatChangesTypeOnTheHostIsStale() throws {
    let path = layers.lower("f", "text")
    let client = try layers.client()
    let node = try client.node("f")
    unlink(path)
    mkfifo(path, 0o644)
    #expect(throws: Errno.stale) { try client.read(node, 0) }
    #expect(throws: Errno.stale) { try client.attributes(of: node) }
    #expect(try client.attributes("f").type == FileType.fifo)
    unlink(path)
    #expect(throws: Errno.notFound) { try client.node("f") }
  }

  @Test func filesTruncatedUnderneathReadShort() throws {
    let path = layers.lower("f", String(repeating: "x", count: 10000))
    let client = try layers.client()
    let node = try client.node("f")
    let handle = try client.open(node)
    truncate(path, 10)
    #expect(try client.read(node, handle).count == 10)
    #expect(try client.read(node, handle, 5000).isEmpty)
  }

  @Test func idsNeverGivenOutAreStale() throws {
    layers.lower("f", "x")
    let client = try layers.client()
    let node = try client.node("f")
    let ids: [UInt64] = [0, 2, 99, node + 1, node | 1 << 32, .max, 1 << 63]
    for id in ids where id != node {
      #expect(client.call(.getattr, id, [UInt8](repeating: 0, count: 16)).error == Errno.stale.code)
      #expect(client.call(.lookup, id, name([65])).error == Errno.stale.code)
      #expect(client.call(.readdir, id, [UInt8](repeating: 0, count: 40)).error == Errno.stale.code)
      #expect(throws: Errno.stale) { try client.read(id, 0) }
      #expect(throws: Errno.stale) { try client.write(id, 0, 0, [1]) }
    }
    client.forget(node, .max)
    #expect(throws: Errno.stale) { try client.attributes(of: node) }
    // The root stays, however often it is given back.
    client.forget(1, .max)
    #expect(try client.names("/") == ["f"])
  }

  @Test(arguments: [FUSEClient.linux, FUSEClient.withOpens])
  func filesAndDirectoriesAreNotReadAsEachOther(offering: InitFlags) throws {
    layers.lower("f", "x")
    let client = try layers.client(offering: offering)
    #expect(throws: Errno.isDirectory) { try client.read(1, 0) }
    #expect(throws: Errno.isDirectory) { try client.write(1, 0, 0, [1]) }
    let node = try client.node("f")
    var arguments = FUSEClient.Bytes()
    for _ in 0..<5 { arguments.put(UInt64(0)) }
    #expect(client.call(.readdir, node, arguments.bytes).error == Errno.notDirectory.code)
    // More ends than beginnings.
    for _ in 0..<3 { client.release(node, 0) }
    #expect(try client.contents("f") == "x")
  }

  @Test func sizesAndOffsetsAtEveryEdge() throws {
    let client = try layers.client()
    let (entry, handle) = try client.create("f")
    let node = entry.node
    for offset in [UInt64(Int64.max), UInt64(Int64.max) - 1, 1 << 63, .max] {
      #expect(throws: (any Error).self) { try client.write(node, handle, offset, [1, 2, 3]) }
      _ = try? client.read(node, handle, offset, .max)
      var arguments = FUSEClient.Bytes()
      for value in [handle, offset, .max, 0] { arguments.put(value) }
      #expect(client.call(.fallocate, node, arguments.bytes).error != 0)
      arguments = FUSEClient.Bytes()
      for value in [handle, offset, 3] { arguments.put(value) }
      #expect(client.call(.lseek, node, arguments.bytes).error != 0)
      #expect(throws: (any Error).self) { try client.set("f", size: offset) }
      arguments = FUSEClient.Bytes()
      for value in [handle, offset, node, handle, offset, .max, 0] { arguments.put(value) }
      _ = client.call(.copyFileRange, node, arguments.bytes)
    }
    // A write that says more than it brings.
    var arguments = FUSEClient.Bytes()
    for value in [handle, 0, 1 << 20, 0, 0] as [UInt64] { arguments.put(value) }
    #expect(client.call(.write, node, arguments.bytes + [1, 2, 3]).error == Errno.invalid.code)
    // READDIR from wherever.
    for offset in [7, 1 << 40, UInt64.max] {
      arguments = FUSEClient.Bytes()
      for value in [0, offset, 4096, 0, 0] { arguments.put(value) }
      _ = client.call(.readdir, 1, arguments.bytes)
      _ = client.call(.readdirplus, 1, arguments.bytes)
    }
    #expect(try client.names("/") == ["f"])
  }

  @Test func repliesThatDoNotFitGiveBackWhatTheyCounted() throws {
    layers.lower("f", "x")
    let client = try layers.client(offering: FUSEClient.withOpens)
    for room in [0, 1, 15, 16, 17, 100, 143] {
      let reply = client.call(.lookup, 1, name([UInt8(ascii: "f")]), room: room)
      #expect(room < 16 ? reply.bytes.isEmpty : reply.error == Errno.outOfRange.code)
    }
    #expect(client.server.tree.nodes.count == 1)
    let node = try client.node("f")
    #expect(client.call(.open, node, [UInt8](repeating: 0, count: 8), room: 20).error == Errno.outOfRange.code)
    client.forget(node)
    #expect(client.server.tree.nodes.count == 1)
  }

  @Test func everyOpcodeWithEveryLengthIsAnswered() throws {
    layers.lower("d/f", "x")
    let client = try layers.client()
    let node = try client.node("d")
    var random = SystemRandomNumberGenerator()
    for opcode in (0...60).map(UInt32.init) {
      for length in 0..<130 {
        for fill in [0, 1, 0xff] as [UInt8] {
          var message = FUSEClient.Bytes()
          message.put(UInt32(40 + length))
          message.put(opcode)
          message.put(UInt64(5))
          message.put([node, 1, 0].randomElement(using: &random)!)
          for _ in 0..<4 { message.put(UInt32(0)) }
          message.bytes += [UInt8](repeating: fill, count: length)
          if opcode == Opcode.initialize.rawValue || opcode == Opcode.destroy.rawValue { continue }
          _ = client.send(message.bytes, room: length % 40 + 16)
        }
      }
    }
    #expect(try FUSEClient(client.server).contents("d/f") == "x")
  }

  @Test func forgettingMoreThanThereIsDoesNoHarm() throws {
    layers.lower("d/f", "x")
    let client = try layers.client()
    let f = try client.node("d/f")
    var message = FUSEClient.Bytes()
    message.put(UInt32.max)
    message.put(UInt32(0))
    for id in [f, f, 12345, 0, 1] {
      message.put(id)
      message.put(UInt64.max)
    }
    client.call(.batchForget, 0, message.bytes)
    #expect(try client.contents("d/f") == "x")
  }
}

import FUSE
import Foundation
import Host
import LittleEndian
import Testing

@testable import FileSystem
@testable import State

/// A session whose process ends, and that goes on in another one: its client sees nothing of it.
struct TreeStateTests {
  let layers = Layers()
  private static let tag = StateTag("devi")

  private func saved(_ server: FileSystemServer) throws -> [UInt8] {
    var fields = FieldWriter()
    try server.save(to: &fields)
    var state = StateWriter()
    state.add(Self.tag, fields)
    return state.finish()
  }

  private func restored(_ state: [UInt8], _ tree: LayeredTree) throws(StateError) -> FileSystemServer {
    let server = FileSystemServer(tree)
    var reader = try StateReader(state)
    var fields = try reader.require(Self.tag)
    try server.restore(from: &fields)
    try fields.finish()
    return server
  }

  /// The same client, of a server that begins with the other one's state.
  private func goneOn(_ old: FUSEClient, tree: LayeredTree? = nil) throws -> FUSEClient {
    let state = try saved(old.server)
    old.server.abandon()
    let server = try restored(state, try tree ?? layers.tree())
    // One moment more, if what is from the one before was not looked at.
    #expect([0, 12].contains(try saved(server).count - state.count))
    return FUSEClient(server, after: old)
  }

  @Test func whatTheClientKnowsIsWhatItWas() throws {
    layers.lower("a/b/f", "below")
    layers.lower("linked", "twice")
    Glibc.link(layers.lower + "/linked", layers.lower + "/a/other")
    layers.lower("up", "text")
    Glibc.link(layers.lower + "/up", layers.lower + "/upAgain")
    layers.lower("gone", "")
    var client = try layers.client()
    try client.put("a/b/f", "changed")
    try client.put("up", "copied")
    try client.mkdir("d")
    try client.put("d/new", "made")
    try client.rename("d/new", "a/moved")
    try client.link("a/moved", "d/second")
    try client.symlink("s", to: "a")
    try client.unlink("gone")
    try client.unlink("linked")
    let paths = ["", "a", "a/b", "a/b/f", "a/other", "up", "upAgain", "d", "d/second", "a/moved", "s"]
    let nodes = try paths.map { try client.node($0) }
    #expect(nodes[5] == nodes[6] && nodes[8] == nodes[9])
    let attributes = try nodes.map { try client.attributes(of: $0) }
    let count = client.server.nodeCount
    let known = Set(client.server.tree.nodes.all.map(\.id))
    for _ in 0..<2 {
      client = try goneOn(client)
      #expect(client.server.nodeCount == count)
      for (node, each) in zip(nodes, attributes) where node != 1 { #expect(try client.attributes(of: node) == each) }
      // Something of ours has been in there.
      #expect(try client.attributes(of: 1).inode == attributes[0].inode)
      #expect(try paths.map { try client.node($0) } == nodes)
      #expect(try client.contents("d/second") == "made" && client.contents("a/b/f") == "changed")
      #expect(try client.contents("upAgain") == "copied" && client.readlink("s") == "a")
      #expect(!client.exists("gone") && !client.exists("linked"))
      #expect(try client.names("") == ["a", "d", "s", "up", "upAgain"])
    }
    // It goes on as if nothing had been.
    try client.rename("d/second", "d/third")
    try client.put("a/moved", "once more")
    #expect(try client.contents("d/third") == "once more")
    let made = try client.create("fresh").entry.node
    #expect(!known.contains(made))
    try client.unlink("up")
    #expect(try client.attributes("upAgain").links == 1)
    try client.unlink("a/other")
    #expect(!client.exists("a/other") && layers.isWhiteout(layers.upper + "/a/other"))
  }

  /// Ids that were given back are never those of something else.
  @Test func idsAreGivenOutOnce() throws {
    for index in 0..<8 { layers.lower("f\(index)") }
    let first = try layers.client()
    var seen: Set<UInt64> = []
    for index in 0..<8 {
      let node = try first.lookUp(1, "f\(index)").node
      seen.insert(node)
      if index % 2 == 0 { first.forget(node) }
    }
    let client = try goneOn(first)
    for index in [0, 2, 4, 6] { #expect(seen.insert(try client.lookUp(1, "f\(index)").node).inserted) }
    for index in [1, 3, 5, 7] { #expect(!seen.insert(try client.lookUp(1, "f\(index)").node).inserted) }
  }

  /// A tree of any size costs no look at the host, and what is not there is missed when it is used.
  @Test func theHostIsLookedAtWhenSomethingIsUsed() throws {
    for index in 0..<500 { layers.lower("d\(index % 20)/e/f\(index)", "\(index)") }
    let first = try layers.client()
    let nodes = try (0..<500).map { try first.node("d\($0 % 20)/e/f\($0)") }
    let state = try saved(first.server)
    first.server.abandon()
    for index in 0..<20 { Glibc.rename(layers.lower + "/d\(index)", layers.base + "/d\(index)") }
    let client = FUSEClient(try restored(state, layers.tree()), after: first)
    #expect(client.server.nodeCount == first.server.nodeCount)
    #expect(throws: Errno.stale) { try client.read(nodes[7], 0) }
    for index in 0..<20 { Glibc.rename(layers.base + "/d\(index)", layers.lower + "/d\(index)") }
    for (index, node) in nodes.enumerated() { #expect(try client.read(node, 0) == Array("\(index)".utf8)) }
  }

  @Test func whatIsSomethingElseByNowIsStale() throws {
    layers.lower("f", "file")
    layers.lower("g", "other")
    layers.lower("d/in", "inside")
    layers.symlink(layers.lower + "/s", to: "f")
    layers.lower("t", "text")
    let first = try layers.client()
    let nodes = try ["f", "d", "d/in", "s", "t", "g"].map { try first.node($0) }
    let state = try saved(first.server)
    first.server.abandon()
    for name in ["f", "d", "s", "t"] { Glibc.rename(layers.lower + "/" + name, layers.base + "/old-" + name) }
    layers.lower("f", "another")
    layers.lower("d/in", "elsewhere")
    layers.symlink(layers.lower + "/s", to: "g")
    layers.mkdir(layers.lower + "/t")
    let client = FUSEClient(try restored(state, layers.tree()), after: first)
    for node in nodes.dropLast() { #expect(throws: Errno.stale) { try client.attributes(of: node) } }
    for index in [0, 2, 4] { #expect(throws: Errno.stale) { try client.read(nodes[index], 0) } }
    #expect(client.call(.readlink, nodes[3], []).error == Errno.stale.code)
    var offset: UInt64 = 0
    #expect(names(client, nodes[1], from: &offset).isEmpty)
    #expect(try client.read(nodes[5], 0) == Array("other".utf8))
    // By their names they are what they are now.
    #expect(
      try client.contents("f") == "another" && client.contents("d/in") == "elsewhere" && client.readlink("s") == "g")
    #expect(try client.node("f") != nodes[0])
  }

  /// A file that has the number of one that was there before, and was made since.
  @Test func numbersThatAreUsedAgainAreNoProof() throws {
    layers.lower("d/f", "file")
    let first = try layers.client()
    let nodes = try ["d", "d/f"].map { try first.node($0) }
    let state = try saved(first.server)
    first.server.abandon()
    let file = try FileDescriptor.open(layers.lower + "/d/f", OpenFlags.read)
    let status = try FileCalls.status(file.raw)
    guard status.hasBirthTime else { return }
    let client = FUSEClient(try restored(state, layers.tree()), after: first)
    client.server.tree.moments = [FileTime(seconds: status.born.seconds - 10, nanoseconds: 0)]
    for node in nodes { #expect(throws: Errno.stale) { try client.attributes(of: node) } }
    // What a second state has from the first, unseen, is held against the first one's time.
    let later = FUSEClient(try restored(saved(client.server), layers.tree()), after: first)
    #expect(later.server.tree.moments.count == 2)
    #expect(throws: Errno.stale) { try later.attributes(of: nodes[0]) }
  }

  /// Each that goes on has its own.
  @Test func removedFilesAreCopied() throws {
    layers.lower("f", "below", mode: 0o640)
    let first = try layers.client()
    let node = try first.node("f")
    let made = try first.create("made").entry.node
    try first.write(made, 0, 0, [UInt8](repeating: 7, count: 3 << 20))
    try first.setxattr("made", "user.word", "value")
    try first.set("made", mode: 0o4711, modified: 1_000_000)
    let known = try first.attributes(of: node)
    let before = try first.attributes(of: made)
    try first.unlink("f")
    try first.unlink("made")
    let state = try saved(first.server)
    for turn in 0..<2 {
      let client = FUSEClient(try restored(state, layers.tree()), after: first)
      #expect(try client.read(node, 0) == Array("below".utf8))
      let now = try client.attributes(of: node)
      #expect(now.mode == known.mode && now.inode == known.inode && now.links == 0 && now.modified == known.modified)
      let then = try client.attributes(of: made)
      #expect(then.mode == before.mode && then.length == 3 << 20 && then.modified == 1_000_000)
      #expect(try client.read(made, 0, 2 << 20, 3) == [7, 7, 7])
      try client.write(made, 0, 0, [UInt8(turn)])
      #expect(try client.read(made, 0, 0, 2) == [UInt8(turn), 7])
      #expect(
        client.call(.getxattr, made, [100, 0, 0, 0, 0, 0, 0, 0] + Array("user.word\0".utf8)).bytes
          == Array("value".utf8))
      #expect(!client.exists("f") && !client.exists("made"))
      #expect(try saved(client.server).count > 3 << 20)
      client.forget(made, .max)
      client.forget(node, .max)
      #expect(throws: Errno.stale) { try client.read(made, 0) }
      #expect(try client.create("new\(turn)").entry.node != made)
      client.server.abandon()
    }
    // It is as it was.
    #expect(try first.read(node, 0) == Array("below".utf8))
  }

  @Test func removedDirectoriesCannotBeSaved() throws {
    let first = try layers.client()
    let node = try first.mkdir("d").node
    try first.rmdir("d")
    #expect(throws: StateError.removedFiles(1)) { try saved(first.server) }
    first.forget(node, .max)
    let client = try goneOn(first)
    #expect(throws: Errno.stale) { try client.attributes(of: node) }
    #expect(try client.create("new").entry.node != node)
  }

  /// As many, and as large ones, as whoever goes on takes.
  @Test func removedFilesAreLimited() throws {
    let first = try layers.client()
    for name in ["a", "b", "c"] {
      _ = try first.create(name)
      try first.set(name, size: 33 << 20)
      try first.unlink(name)
    }
    // The third is not read any more.
    #expect(throws: StateError.removedFiles(1)) { try saved(first.server) }
    let nodes = first.server.tree.nodes.all.filter(\.isRemoved).map(\.id)
    for node in nodes { try first.set(node: node, size: 1) }
    _ = try saved(first.server)
    first.server.tree.nodes.pinLimit = 2
    #expect(throws: StateError.removedFiles(1)) { try saved(first.server) }
  }

  /// What was a hole takes no room, and all else is there to be had.
  @Test(arguments: [false, true]) func removedFilesCountForTheLimit(isHole: Bool) throws {
    let first = try layers.client()
    let node = try first.create("f").entry.node
    try first.set("f", size: 3 << 20)
    if !isHole { try first.write(node, 0, 0, [UInt8](repeating: 7, count: 2 << 20)) }
    try first.write(node, 0, (3 << 20) - 5000, [8])
    try first.unlink("f")
    let state = try saved(first.server)
    var map = LayerMap(guestPath: "/", hostPath: layers.upper)
    map.limit = WriteLimit(bytes: 1 << 20)
    let tree = try LayeredTree(reads: [LayerMap(guestPath: "/", hostPath: layers.lower)], writes: [map])
    guard isHole else {
      #expect(throws: StateError.value(Self.tag, id: TreeField.removed)) { try restored(state, tree) }
      return
    }
    let client = FUSEClient(try restored(state, tree), after: first)
    #expect(try client.attributes(of: node).length == 3 << 20)
    #expect(try client.read(node, 0, (3 << 20) - 5001, 3) == [0, 8, 0])
    #expect(try #require(tree.layers[0].allowance).usage.bytes < 64 << 10)
  }

  @Test func opensAreLimited() throws {
    let first = try layers.client(offering: FUSEClient.withOpens)
    for index in 0..<14 { _ = try first.create("f\(index)") }
    func tree() throws -> LayeredTree {
      try LayeredTree(
        reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
        writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], budget: DescriptorBudget(limit: 64))
    }
    _ = try restored(saved(first.server), tree())
    try first.unlink("f0")
    _ = try restored(saved(first.server), tree())
    _ = try first.create("one more")
    let state = try saved(first.server)
    #expect(throws: StateError.value(Self.tag, id: TreeField.opens)) { try restored(state, tree()) }
  }

  /// READDIR from where an earlier one ended.
  private func names(_ client: FUSEClient, _ node: UInt64, from offset: inout UInt64) -> [String] {
    var arguments = FUSEClient.Bytes()
    for value in [0, offset] { arguments.put(value) }
    for value in [UInt32(600), 0, 0, 0, 0, 0] { arguments.put(value) }
    let reply = client.call(.readdir, node, arguments.bytes)
    var names: [String] = []
    var at = 0
    while at < reply.bytes.count {
      let length = Int(reply.load(UInt32.self, at: at + 16))
      offset = reply.load(at: at + 8)
      names.append(String(decoding: reply.bytes[(at + 24)..<(at + 24 + length)], as: UTF8.self))
      at += (24 + length + 7) & ~7
    }
    return names
  }

  /// Of one layer, and merged from two.
  @Test(arguments: [false, true]) func listingsGoOnWhereTheyEnded(isMerged: Bool) throws {
    for index in 0..<100 { layers.lower("d/name\(index)") }
    var client = try layers.client()
    if isMerged { try client.put("d/name100", "") }
    let node = try client.node("d")
    var offset: UInt64 = 0
    var found: [String] = []
    while true {
      let some = names(client, node, from: &offset)
      if some.isEmpty { break }
      found += some
      if found.count < 60 { client = try goneOn(client) }
    }
    let all = (0..<(isMerged ? 101 : 100)).map { "name\($0)" }
    #expect(found.sorted() == ([".", ".."] + all).sorted())
  }

  @Test func sharesAreOpenAsOftenAsTheyWere() throws {
    layers.put(layers.base + "/shared/f", "text")
    let share = Share(map: LayerMap(guestPath: "/s", hostPath: layers.base + "/shared"))
    let first = try layers.client(shares: [share], offering: FUSEClient.withOpens)
    let node = try first.node("s/f")
    let handles = [try first.open(node), try first.open(node, 2)]
    let client = try goneOn(first, tree: layers.tree(shares: [share]))
    #expect(client.server.tree.nodes.node(node)?.opens == 2)
    #expect(try client.read(node, handles[0]) == Array("text".utf8))
    try client.write(node, handles[1], 0, Array("TEXT".utf8))
    for handle in handles { client.release(node, handle) }
    #expect(client.server.tree.nodes.node(node)?.opens == 0)
    #expect(layers.contents(layers.base + "/shared/f") == "TEXT")
    // Other maps are another tree.
    let state = try saved(client.server)
    #expect(throws: StateError.value(Self.tag, id: TreeField.flags)) { try restored(state, layers.tree()) }
    let moved = Share(map: LayerMap(guestPath: "/t", hostPath: layers.base + "/shared"))
    #expect(throws: StateError.value(Self.tag, id: TreeField.layers)) {
      try restored(state, layers.tree(shares: [moved]))
    }
  }

  @Test func whatNobodyHasMountedIsNothing() throws {
    let server = try FileSystemServer(layers.tree())
    let next = try restored(saved(server), layers.tree())
    #expect(!next.settings.isMounted)
    layers.lower("f", "text")
    #expect(try FUSEClient(next).contents("f") == "text")
  }

  @Test func theWindowShowsWhatItShowed() throws {
    layers.lower("f", "mapped")
    func tree(_ window: FileWindow) throws -> LayeredTree {
      try LayeredTree(
        reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
        writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], window: window)
    }
    let first = FUSEClient(
      FileSystemServer(try tree(FileWindow(count: 4 * MappedRanges.rangeSize))),
      offering: FUSEClient.linux.union([.mapAlignment, .inodeDAX]))
    var arguments = FUSEClient.Bytes()
    for value in [.max, 0, UInt64(MappedRanges.rangeSize), 2, UInt64(MappedRanges.rangeSize)] { arguments.put(value) }
    #expect(first.call(.setupMapping, try first.node("f"), arguments.bytes).error == 0)
    let state = try saved(first.server)
    first.server.abandon()
    let window = try FileWindow(count: 4 * MappedRanges.rangeSize)
    let server = try restored(state, tree(window))
    let range = MappedRanges.rangeSize
    #expect(unsafe window.bytes[range..<range + 6].elementsEqual("mapped".utf8))
    #expect(server.tree.mapped?.contents.count == 1)
    // Nothing of another size, and no other file.
    #expect(throws: StateError.value(Self.tag, id: TreeField.window)) {
      try restored(state, tree(FileWindow(count: 2 * MappedRanges.rangeSize)))
    }
    Glibc.rename(layers.lower + "/f", layers.base + "/f")
    layers.lower("f", "other!")
    #expect(throws: StateError.value(Self.tag, id: TreeField.ranges)) { try restored(state, tree(window)) }
  }

  /// It has no row, and is none of those that are copied.
  @Test func whatIsMappedAndGoneCannotBeSaved() throws {
    layers.lower("f", "mapped")
    let tree = try LayeredTree(
      reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
      writes: [LayerMap(guestPath: "/", hostPath: layers.upper)],
      window: FileWindow(count: 4 * MappedRanges.rangeSize))
    let client = FUSEClient(
      FileSystemServer(tree), offering: FUSEClient.linux.union([.mapAlignment, .inodeDAX]))
    var arguments = FUSEClient.Bytes()
    for value in [.max, 0, UInt64(MappedRanges.rangeSize), 0, 0] { arguments.put(value) }
    let node = try client.node("f")
    #expect(client.call(.setupMapping, node, arguments.bytes).error == 0)
    tree.nodes.pinLimit = 0
    try client.unlink("f")
    #expect(tree.nodes.node(node) == nil && tree.mapped?.contents.count == 1)
    #expect(throws: StateError.removedFiles(1)) { try saved(client.server) }
  }

  // MARK: Hostile states

  /// The fields of a state by their ids.
  private func fields(_ state: [UInt8]) throws -> [(id: UInt16, value: [UInt8])] {
    let payload = try StateReader(state).contents[0].payload
    var fields: [(id: UInt16, value: [UInt8])] = []
    var at = 0
    while at < payload.count {
      let length = Int(payload.field(UInt32.self, at: at + 4))
      fields.append((payload.field(at: at), Array(payload[(at + 8)..<(at + 8 + length)])))
      at += 8 + length
    }
    return fields
  }

  private func state(_ fields: [(id: UInt16, value: [UInt8])]) -> [UInt8] {
    var writer = FieldWriter()
    for (id, value) in fields { writer.put(id, value) }
    var state = StateWriter()
    state.add(Self.tag, writer)
    return state.finish()
  }

  @Test func whatCannotBeIsRefused() throws {
    layers.lower("a/b/f", "text")
    Glibc.link(layers.lower + "/a/b/f", layers.lower + "/a/other")
    let first = try layers.client()
    for path in ["a/b/f", "a/other"] { _ = try first.node(path) }
    first.forget(try first.create("gone").entry.node, 1)
    let good = try fields(saved(first.server))
    first.server.abandon()
    _ = try restored(state(good), layers.tree())
    // Rows: the root, a, b, f.
    func refused(_ id: UInt16, by fault: UInt16? = nil, _ change: (inout [UInt8]) -> Void) throws {
      var bad = good
      let index = try #require(bad.firstIndex { $0.id == id })
      change(&bad[index].value)
      #expect(bad[index].value != good[index].value)
      #expect(throws: StateError.value(Self.tag, id: fault ?? id), "field \(id)") {
        try restored(state(bad), layers.tree())
      }
    }
    try refused(TreeField.ids) { $0.removeLast() }
    try refused(TreeField.ids) { $0.replaceSubrange(8..<16, with: $0[16..<24]) }
    try refused(TreeField.ids, by: TreeField.kinds) { $0[0] = 9 }
    try refused(TreeField.ids) { $0.put(UInt64(1) << 31, at: 16) }
    try refused(TreeField.ids) { $0.put(UInt64(0), at: 16) }
    try refused(TreeField.kinds) { $0.put(UInt16(3), at: 6) }
    try refused(TreeField.kinds) { $0.put(UInt16(0x8008), at: 6) }
    try refused(TreeField.kinds) { $0.put(UInt16(0x44), at: 2) }
    try refused(TreeField.kinds, by: TreeField.ranks) { $0.put(UInt16(4), at: 0) }
    // Loops, what lies in a file, and in nothing.
    try refused(TreeField.parents) { $0.put(UInt32(2), at: 4) }
    try refused(TreeField.parents) { $0.put(UInt32(1), at: 4) }
    try refused(TreeField.parents) { $0.put(UInt32(3), at: 4) }
    try refused(TreeField.parents) { $0.put(UInt32(4), at: 4) }
    // Names: the root's, a, b, f.
    for name in ["..", ".", "a/b", "", String(repeating: "n", count: 256)] {
      try refused(TreeField.names, by: name == "" ? TreeField.ranks : nil) { $0 = [0] + Array("a\0\(name)\0f\0".utf8) }
    }
    try refused(TreeField.names) { $0.removeLast() }
    try refused(TreeField.names, by: TreeField.parents) { $0 = [0] + Array(".novm.work\0b\0f\0".utf8) }
    try refused(TreeField.ranks) { $0.put(UInt16(2), at: 2) }
    // The layer for reading is the second one.
    try refused(TreeField.writeRanks) { $0.put(UInt16(1), at: 2) }
    try refused(TreeField.seen) { $0[1] = 1 }
    try refused(TreeField.moments) { $0 = [] }
    try refused(TreeField.aliases) { $0.put(UInt32(2), at: 0) }
    try refused(TreeField.aliases, by: TreeField.ids) { $0 += $0 }
    try refused(TreeField.free) { $0.removeLast() }
    try refused(TreeField.free, by: TreeField.ids) { $0.put(UInt32(2), at: 0) }
    try refused(TreeField.free, by: TreeField.ids) { $0 += $0 }
    try refused(TreeField.opens) { $0 = [3, 0, 0, 0, 1, 0, 0, 0] }
    try refused(TreeField.links) { $0 = [3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x80] }
    try refused(TreeField.ranges) { $0 = [UInt8](repeating: 0, count: 21) }
    try refused(TreeField.flags) { $0[7] = 0xff }
    try refused(TreeField.minor) { $0 = [1] }
    try refused(TreeField.removed) { $0 = [1] }
    // In the layer for reading.
    try refused(TreeField.removed) { $0 = [UInt8](repeating: 0, count: 28) + [1] + [UInt8](repeating: 0, count: 51) }
  }

  /// Where a share and something else are one directory nothing of it can be changed.
  @Test func sharesTakeNoCopies() throws {
    let (shared, given) = (layers.base + "/shared", layers.base + "/given")
    layers.put(shared + "/lib/d/own", "own")
    layers.put(shared + "/e/f", "shared")
    layers.put(given + "/d/g", "given")
    func tree() throws -> LayeredTree {
      try LayeredTree(
        reads: [
          LayerMap(guestPath: "/", hostPath: layers.lower), LayerMap(guestPath: "/s/lib", hostPath: given),
          LayerMap(guestPath: "/s/g", hostPath: given + "/d/g"),
        ],
        writes: [LayerMap(guestPath: "/", hostPath: layers.upper)],
        shares: [Share(map: LayerMap(guestPath: "/s", hostPath: shared))])
    }
    let first = FUSEClient(FileSystemServer(try tree()))
    let paths = ["s/lib/d", "s/lib/d/g", "s/lib/d/own", "s/g", "s/e", "s/e/f"]
    let nodes = try paths.map { try first.node($0) }
    let good = try fields(saved(first.server))
    let client = FUSEClient(try restored(state(good), tree()), after: first)
    for node in [nodes[1], nodes[2], nodes[3]] {
      #expect(throws: Errno.readOnly) { try client.set(node: node, mode: 0o600) }
    }
    try client.set(node: nodes[5], mode: 0o600)
    func value(_ id: UInt16) -> [UInt8] { good.first { $0.id == id }!.value }
    func refused(_ id: UInt16, by fault: UInt16? = nil, _ change: (inout [UInt8]) -> Void) throws {
      var bad = good
      change(&bad[try #require(bad.firstIndex { $0.id == id })].value)
      #expect(throws: StateError.value(Self.tag, id: fault ?? id)) { try restored(state(bad), tree()) }
    }
    let ids = value(TreeField.ids)
    func row(_ node: UInt64) throws -> Int {
      try #require((0..<ids.count / 8).first { ids.field(UInt64.self, at: 8 * $0) == node })
    }
    // The ranks: the write map, the share, and what is for reading.
    for node in [nodes[1], nodes[3]] {
      let row = try row(node)
      try refused(TreeField.writeRanks) { $0.put(UInt16(1), at: 2 * row) }
    }
    let (merged, alone) = (try row(nodes[0]), try row(nodes[4]))
    try refused(TreeField.writeRanks, by: TreeField.lowerParts) { $0.put(UInt16(1), at: 2 * merged) }
    try refused(TreeField.lowerParts) {
      $0 += [UInt8](repeating: 0, count: 6)
      $0.put(UInt32(alone), at: $0.count - 6)
      $0.put(UInt16(3), at: $0.count - 2)
    }
    try refused(TreeField.kinds, by: TreeField.writeRanks) {
      $0.put($0.field(UInt16.self, at: 2 * alone) | NodeKind.isBare, at: 2 * alone)
    }
  }

  @Test func whatIsHiddenStaysHidden() throws {
    layers.lower("seen", "text")
    layers.lower("here/f", "text")
    layers.lower("file", "secret")
    layers.lower("tree/f", "secret")
    func tree() throws -> LayeredTree {
      try LayeredTree(
        reads: [LayerMap(guestPath: "/", hostPath: layers.lower)],
        writes: [LayerMap(guestPath: "/", hostPath: layers.upper)], hides: ["/file", "/tree"])
    }
    let first = FUSEClient(FileSystemServer(try tree()))
    for path in ["seen", "here"] { _ = try first.node(path) }
    try first.put("made", "by the guest")
    let good = try fields(saved(first.server))
    let index = try #require(good.firstIndex { $0.id == TreeField.names })
    let cases = [
      ("seen here made", true), ("file here made", false), ("seen tree made", false), ("seen here file", true),
    ]
    for (names, isTaken) in cases {
      var other = good
      other[index].value = [0] + Array(names.utf8.map { $0 == 32 ? 0 : $0 }) + [0]
      if isTaken {
        _ = try restored(state(other), tree())
      } else {
        #expect(throws: StateError.value(Self.tag, id: TreeField.parents)) { try restored(state(other), tree()) }
      }
    }
  }

  /// Whatever is in it, it is refused, or something that can be served and ended.
  @Test func anyStateIsRefusedOrServed() throws {
    layers.lower("a/b/f", "text")
    Glibc.link(layers.lower + "/a/b/f", layers.lower + "/a/other")
    layers.symlink(layers.lower + "/s", to: "a")
    let witness = layers.put(layers.base + "/secret", "secret")
    let first = try layers.client()
    for path in ["a/b/f", "a/other", "s"] { _ = try first.node(path) }
    try first.put("a/new", "new")
    try first.put("a/b/f", "changed")
    _ = try first.create("gone")
    try first.unlink("gone")
    let good = try fields(saved(first.server))
    first.server.abandon()
    var random = SystemRandomNumberGenerator()
    var taken = 0
    for _ in 0..<400 {
      var bad = good
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let index = Int.random(in: bad.indices, using: &random)
        guard !bad[index].value.isEmpty else { continue }
        let place = Int.random(in: bad[index].value.indices, using: &random)
        bad[index].value[place] = [0, 1, 2, 3, 255, UInt8.random(in: 0...255, using: &random)].randomElement()!
      }
      guard let server = try? restored(state(bad), layers.tree()) else { continue }
      taken += 1
      let client = FUSEClient(server, after: first)
      for node in server.tree.nodes.all.map(\.id) {
        _ = try? client.attributes(of: node)
        _ = try? client.read(node, 0)
        _ = try? client.write(node, 0, 0, [1])
        _ = try? client.lookUp(node, "b")
        client.forget(node, .max)
      }
      _ = try? client.list("a")
      server.close()
    }
    #expect(taken > 0 && layers.contents(witness) == "secret" && layers.contents(layers.lower + "/a/b/f") == "text")
  }
}

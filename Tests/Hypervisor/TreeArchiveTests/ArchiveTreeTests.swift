import Testing

@testable import TreeArchive

@Suite struct ArchiveTreeTests {
  /// The archive lives for as long as `body` runs.
  private func withTree(
    _ builder: TarBuilder, limit: Int = ArchiveTree.limit, _ body: (ArchiveTree) throws -> Void
  ) throws {
    try builder.bytes.withUnsafeBufferPointer { try body(ArchiveTree(ArchiveBytes($0), limit: limit)) }
  }

  private func names(_ node: ArchiveTree.Node, _ tree: ArchiveTree) -> [String] {
    var names: [String] = []
    var next = node.first
    while let number = next {
      names.append(text(tree.entries[number].name, tree))
      next = tree.entries[number].next
    }
    return names
  }

  private func find(_ path: String, _ tree: ArchiveTree) -> ArchiveTree.Node? {
    var number = 0
    for name in path.split(separator: "/") {
      guard tree.nodes[number].kind == .directory, let next = tree.lookup(Array(name.utf8).span, in: number) else {
        return nil
      }
      number = next
    }
    return tree.nodes[number]
  }

  private func text(_ range: Range<Int>, _ tree: ArchiveTree) -> String {
    String(decoding: range.map { tree.archive[$0] }, as: UTF8.self)
  }

  @Test func entries() throws {
    var builder = TarBuilder()
    builder.add("./", type: "5", mode: 0o750)
    builder.add("./etc/", type: "5", mode: 0o700)
    builder.add("./etc/passwd", data: Array("root".utf8))
    builder.add("./etc/link", type: "2", target: "../etc/passwd")
    builder.add("./etc/same", type: "1", target: "./etc/passwd")
    builder.add("dev/null", type: "3", mode: 0o666)
    builder.extend([("path", "usr/" + String(repeating: "n", count: 200)), ("mtime", "12.5"), ("uid", "3000000")])
    builder.add("short", data: [1, 2, 3])
    builder.add("././@LongLink", type: "L", data: Array("usr/gnu\0".utf8))
    builder.add("usr/g", data: [9])
    builder.finish()
    try withTree(builder) { tree in
      #expect(find("/", tree)?.mode == 0o750)
      #expect(find("/etc", tree)?.mode == 0o700)
      #expect(find("/etc", tree)?.links == 2)
      #expect(find("/", tree)?.links == 5)
      let file = try #require(find("/etc/passwd", tree))
      #expect(text(file.data, tree) == "root" && file.links == 2 && file.uid == 7 && file.gid == 8)
      #expect(find("/etc/same", tree)?.data == file.data)
      #expect(text(try #require(find("/etc/link", tree)).data, tree) == "../etc/passwd")
      let device = try #require(find("/dev/null", tree))
      #expect(device.kind == .character && device.major == 4 && device.minor == 5)
      let long = try #require(find("/usr/" + String(repeating: "n", count: 200), tree))
      #expect(long.data.count == 3 && long.modified == 12 && long.uid == 3_000_000)
      #expect(find("/usr/gnu", tree)?.data.count == 1)
      #expect(find("/usr/g", tree) == nil)
    }
  }

  @Test func orderOfNames() throws {
    var builder = TarBuilder()
    for name in ["b", "a", "c", "ab", "B"] { builder.add("d/\(name)", data: Array(name.utf8)) }
    // Said twice: the last holds.
    builder.add("d/a", data: [1, 2, 3, 4])
    builder.finish()
    try withTree(builder) { tree in
      let directory = try #require(find("/d", tree))
      #expect(names(directory, tree) == ["b", "a", "c", "ab", "B"])
      #expect(find("/d/a", tree)?.data.count == 4)
    }
  }

  @Test func whatLeadsOutside() throws {
    var builder = TarBuilder()
    builder.add("../escape", data: [1])
    builder.add("a/../../escape", data: [1])
    builder.add("file", data: [1])
    builder.add("file/below", data: [1])
    builder.add("loop", type: "1", target: "loop")
    builder.add("directory/", type: "5")
    builder.add("hard", type: "1", target: "directory")
    builder.add("directory", data: [1])
    builder.finish()
    try withTree(builder) { tree in
      let root = tree.nodes[0]
      #expect(names(root, tree) == ["file", "directory"])
      #expect(find("/directory", tree)?.kind == .directory)
    }
  }

  @Test func damage() throws {
    var builder = TarBuilder()
    builder.add("a", data: [1], size: 4096)
    #expect(throws: TreeError.truncated(place: 0)) { try withTree(builder) { _ in } }
    // Whole entries, and no end.
    builder = TarBuilder()
    builder.add("a")
    #expect(throws: TreeError.truncated(place: 512)) { try withTree(builder) { _ in } }
    #expect(throws: TreeError.truncated(place: 0)) { try withTree(TarBuilder()) { _ in } }
    // One that begins like an end.
    builder.add("")
    builder.finish()
    #expect(throws: TreeError.damaged(place: 512)) {
      var bytes = builder.bytes
      bytes[512 + 100] ^= 1
      try bytes.withUnsafeBufferPointer { _ = try ArchiveTree(ArchiveBytes($0)) }
    }
    // What belongs to an entry that is not there.
    builder = TarBuilder()
    builder.extend([("path", "a")])
    builder.finish()
    #expect(throws: TreeError.damaged(place: 1024)) { try withTree(builder) { _ in } }
    builder = TarBuilder()
    builder.add("a")
    builder.add("b")
    var bytes = builder.bytes
    bytes[700] ^= 1
    #expect(throws: TreeError.damaged(place: 512)) {
      try bytes.withUnsafeBufferPointer { _ = try ArchiveTree(ArchiveBytes($0)) }
    }
    builder = TarBuilder()
    builder.finish()
    try withTree(builder) { #expect($0.nodes.count == 1) }
  }

  /// Seventh Edition's archives have no kind for directories, and no "ustar".
  @Test func oldDirectories() throws {
    var builder = TarBuilder()
    builder.add("old/", type: "\0", mode: 0o711)
    builder.add("old/file", type: "\0", data: [1])
    builder.finish()
    try withTree(builder) { tree in
      let old = try #require(find("/old", tree))
      #expect(old.kind == .directory && old.mode == 0o711)
      #expect(find("/old/file", tree)?.data.count == 1)
    }
  }

  @Test func whatIsNotRead() throws {
    for type: Character in ["S", "M"] {
      var builder = TarBuilder()
      builder.add("a", type: type, data: [1])
      builder.finish()
      #expect(throws: TreeError.unsupported(place: 0)) { try withTree(builder) { _ in } }
    }
    var builder = TarBuilder()
    builder.extend([("GNU.sparse.major", "1"), ("GNU.sparse.name", "a")])
    builder.add("GNUSparseFile.1/a", data: [1])
    builder.finish()
    #expect(throws: TreeError.unsupported(place: 1024)) { try withTree(builder) { _ in } }
    // A size that is none.
    builder = TarBuilder()
    builder.extend([("size", "36893488147419103233")])
    builder.add("a", data: [1])
    builder.finish()
    #expect(throws: TreeError.truncated(place: 1024)) { try withTree(builder) { _ in } }
  }

  @Test func asManyAsThereMayBe() throws {
    var builder = TarBuilder()
    for name in 0..<9 { builder.add("d/\(name)") }
    builder.finish()
    try withTree(builder, limit: 11) { #expect($0.nodes.count == 11) }
    #expect(throws: TreeError.tooManyEntries(limit: 10)) { try withTree(builder, limit: 10) { _ in } }
    // Names of one file, which are no nodes.
    builder = TarBuilder()
    builder.add("a")
    for name in 0..<9 { builder.add("\(name)", type: "1", target: "a") }
    builder.finish()
    #expect(throws: TreeError.tooManyEntries(limit: 9)) { try withTree(builder, limit: 9) { _ in } }
    // A path is not taken apart beyond what it may have.
    builder = TarBuilder()
    builder.extend([("path", String(repeating: "a/", count: 1 << 20))])
    builder.add("short")
    builder.finish()
    try withTree(builder) { #expect($0.nodes.count == 1) }
  }

  /// What `heap_for` in scripts/micro reckons with.
  @Test func memory() { #expect(ArchiveTree.bytesPerNode == 960) }

  /// In the order that a sorted list likes least.
  @Test func manyNames() throws {
    var builder = TarBuilder()
    for name in (0..<30_000).reversed() { builder.add("d/\(100_000 + name)") }
    builder.finish()
    try withTree(builder) { tree in
      #expect(tree.nodes.count == 30_002)
      for name in [100_000, 115_000, 129_999] { #expect(find("/d/\(name)", tree) != nil) }
      #expect(find("/d/130000", tree) == nil)
    }
  }

  @Test func replaced() throws {
    var builder = TarBuilder()
    builder.add("a", data: [1])
    builder.add("b", type: "1", target: "a")
    builder.add("a", type: "5")
    builder.add("a/c", data: [1, 2])
    builder.finish()
    try withTree(builder) { tree in
      #expect(find("/b", tree)?.links == 1 && find("/b", tree)?.data.count == 1)
      #expect(find("/a", tree)?.kind == .directory && find("/a/c", tree)?.data.count == 2)
      #expect(tree.nodes[0].links == 3)
    }
  }
}

import Testing

@testable import TreeArchive

@Suite struct ArchiveTreeTests {
  /// The archive lives for as long as `body` runs.
  private func withTree(_ builder: TarBuilder, _ body: (ArchiveTree) throws -> Void) throws {
    try builder.bytes.withUnsafeBufferPointer { try body(ArchiveTree(ArchiveBytes($0))) }
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
      #expect(text(try #require(find("/etc/link", tree)).target, tree) == "../etc/passwd")
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
      #expect(directory.children.map { text($0.name, tree) } == ["B", "a", "ab", "b", "c"])
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
      #expect(root.children.map { text($0.name, tree) } == ["directory", "file"])
      #expect(find("/directory", tree)?.kind == .directory)
    }
  }

  @Test func damage() throws {
    var builder = TarBuilder()
    builder.add("a", data: [1], size: 4096)
    #expect(throws: TreeError.truncated(place: 0)) { try withTree(builder) { _ in } }
    builder = TarBuilder()
    builder.add("a")
    builder.add("b")
    var bytes = builder.bytes
    bytes[700] ^= 1
    #expect(throws: TreeError.damaged(place: 512)) {
      try bytes.withUnsafeBufferPointer { _ = try ArchiveTree(ArchiveBytes($0)) }
    }
    // Nothing at all is an empty tree.
    try withTree(TarBuilder()) { #expect($0.nodes.count == 1) }
  }
}

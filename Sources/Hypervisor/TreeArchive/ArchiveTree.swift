/// The tree that a tar archive holds: nodes by number, the root being 0. Files' data stays where it is.
///
/// Names of directories are entries of one table, which is found by a hash; those of a directory are a list, in the archive's order.
package struct ArchiveTree {
  package typealias Number = Int

  package struct Node {
    package enum Kind { case file, symlink, character, block, directory, pipe }

    package var kind: Kind
    package var parent: Number
    package var mode: UInt32 = 0o755
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    package var modified: Int64 = 0
    package var major: UInt32 = 0
    package var minor: UInt32 = 0
    /// A file's data, or what a symbolic link leads to: bytes of the archive.
    package var data = 0..<0
    package var links: UInt32 = 1
    /// Of a directory: the first and the last entry, by number.
    fileprivate(set) package var first: Number?
    fileprivate var last: Number?
  }

  /// A name in a directory. It may stand for a node that has others, too.
  package struct Entry {
    package let name: Range<Int>
    package let directory: Number
    package fileprivate(set) var node: Number
    /// In the same directory.
    package fileprivate(set) var next: Number?
  }

  /// Nodes beyond which an archive is refused, however much memory there is.
  package static let limit = 1 << 20
  /// Bytes of memory that a node takes at most, with its name: twice what it has, as tables double, and are copied then.
  package static let bytesPerNode = 6 * (MemoryLayout<Node>.stride + MemoryLayout<Entry>.stride + 2 * 4)

  package let archive: ArchiveBytes
  package private(set) var nodes: [Node]
  package private(set) var entries: [Entry] = []
  /// Entries by hash, as numbers plus 1: 0 where there is none. At least half of it is empty.
  private var table: [UInt32]
  private let limit: Int

  /// - Parameter limit: of nodes and of names.
  package init(_ archive: ArchiveBytes, limit: Int = Self.limit) throws(TreeError) {
    self.archive = archive
    self.limit = min(limit, Self.limit)
    nodes = [Node(kind: .directory, parent: 0, links: 2)]
    table = [UInt32](repeating: 0, count: 64)
    var place = 0
    while let entry = try TarEntry(archive, at: &place) { try add(entry) }
  }

  // MARK: Looking

  package func lookup(_ name: Span<UInt8>, in directory: Number) -> Number? {
    var hash = Hash(directory)
    for index in name.indices { hash.add(name[index]) }
    let slot = slot(hash, directory) { archive.compare($0, name) == 0 }
    return table[slot] == 0 ? nil : entries[Int(table[slot]) - 1].node
  }

  /// The entry of that name; nil where there is none.
  private func find(_ name: Range<Int>, in directory: Number) -> Number? {
    let slot = slot(name, directory)
    return table[slot] == 0 ? nil : Int(table[slot]) - 1
  }

  private func slot(_ name: Range<Int>, _ directory: Number) -> Int {
    var hash = Hash(directory)
    for place in name { hash.add(archive[place]) }
    return slot(hash, directory) { archive.compare($0, name) == 0 }
  }

  /// Where in the table an entry is, or belongs.
  private func slot(_ hash: Hash, _ directory: Number, _ isName: (Range<Int>) -> Bool) -> Int {
    let mask = table.count - 1
    var slot = Int(truncatingIfNeeded: hash.value) & mask
    while table[slot] != 0 {
      let entry = entries[Int(table[slot]) - 1]
      if entry.directory == directory, isName(entry.name) { break }
      slot = (slot + 1) & mask
    }
    return slot
  }

  /// Of a name in a directory, with a key that no archive knows that was made beforehand (Swift's own hash function).
  private struct Hash {
    private var hasher = Hasher()
    private var word: UInt64 = 0
    private var count = 0

    init(_ directory: Number) { hasher.combine(directory) }

    mutating func add(_ byte: UInt8) {
      word = word << 8 | UInt64(byte)
      count += 1
      if count & 7 == 0 { hasher.combine(word) }
    }

    var value: Int {
      var hasher = hasher
      if count & 7 != 0 { hasher.combine(word << 8 | UInt64(count & 7)) }
      return hasher.finalize()
    }
  }

  // MARK: Building

  /// The components of a path that mean something; nil where one is no system's name, or they are more than 255.
  private func components(_ paths: [Range<Int>]) -> [Range<Int>]? {
    var components: [Range<Int>] = []
    for path in paths {
      var place = path.lowerBound
      while place < path.upperBound {
        let end = archive.first(UInt8(ascii: "/"), in: place..<path.upperBound)
        let isDot = end - place == 1 && archive[place] == UInt8(ascii: ".")
        if end > place, !isDot {
          guard components.count < 255, !isBad(place..<end) else { return nil }
          components.append(place..<end)
        }
        place = end + 1
      }
    }
    return components
  }

  private func isBad(_ name: Range<Int>) -> Bool {
    name.count > 255 || name.contains { archive[$0] == 0 }
      || (name.count == 2 && archive[name.lowerBound] == UInt8(ascii: ".")
        && archive[name.lowerBound + 1] == UInt8(ascii: "."))
  }

  /// The directory of that name, made where there is none; nil where something else has it.
  private mutating func directory(_ name: Range<Int>, in parent: Number) throws(TreeError) -> Number? {
    if let entry = find(name, in: parent) {
      let node = entries[entry].node
      return nodes[node].kind == .directory ? node : nil
    }
    return try insert(Node(kind: .directory, parent: parent, links: 2), name)
  }

  private mutating func insert(_ node: Node, _ name: Range<Int>) throws(TreeError) -> Number {
    let number = try append(node)
    try enter(name, node.parent, number)
    if node.kind == .directory { nodes[node.parent].links &+= 1 }
    return number
  }

  private mutating func append(_ node: Node) throws(TreeError) -> Number {
    guard nodes.count < limit else { throw .tooManyEntries(limit: limit) }
    nodes.append(node)
    return nodes.count - 1
  }

  /// Gives a node a name that there is not.
  private mutating func enter(_ name: Range<Int>, _ directory: Number, _ node: Number) throws(TreeError) {
    guard entries.count < limit else { throw .tooManyEntries(limit: limit) }
    let number = entries.count
    entries.append(Entry(name: name, directory: directory, node: node))
    if let last = nodes[directory].last { entries[last].next = number } else { nodes[directory].first = number }
    nodes[directory].last = number
    if entries.count * 2 > table.count {
      table = [UInt32](repeating: 0, count: table.count * 2)
      for (number, entry) in entries.enumerated() { table[slot(entry.name, entry.directory)] = UInt32(number) + 1 }
    } else {
      table[slot(name, directory)] = UInt32(number) + 1
    }
  }

  /// Adds what an entry says; later entries replace what earlier ones said, directories their attributes. What lies beneath
  /// something that is no directory, or outside of the tree, is left out.
  private mutating func add(_ entry: TarEntry) throws(TreeError) {
    guard let path = components([entry.prefix, entry.name]) else { return }
    guard let last = path.last else {
      if entry.kind == .directory { describe(0, entry) }
      return
    }
    var parent = 0
    for name in path.dropLast() {
      guard let next = try directory(name, in: parent) else { return }
      parent = next
    }
    let old = find(last, in: parent)
    if entry.kind == .link {
      guard let target = resolve(entry.target), nodes[target].kind != .directory, old == nil else { return }
      nodes[target].links &+= 1
      return try enter(last, parent, target)
    }
    let kind: Node.Kind =
      switch entry.kind {
      case .file, .link: .file
      case .symlink: .symlink
      case .character: .character
      case .block: .block
      case .directory: .directory
      case .pipe: .pipe
      }
    let node = Node(kind: kind, parent: parent, links: kind == .directory ? 2 : 1)
    guard let old else { return describe(try insert(node, last), entry) }
    let number = entries[old].node
    if nodes[number].kind == .directory {
      if kind == .directory { describe(number, entry) }
      return
    }
    if nodes[number].links == 1 {
      nodes[number] = node
    } else {
      nodes[number].links &-= 1
      entries[old].node = try append(node)
    }
    if kind == .directory { nodes[parent].links &+= 1 }
    describe(entries[old].node, entry)
  }

  private mutating func describe(_ number: Number, _ entry: TarEntry) {
    nodes[number].mode = entry.mode
    nodes[number].uid = entry.uid
    nodes[number].gid = entry.gid
    nodes[number].modified = entry.modified
    nodes[number].major = entry.major
    nodes[number].minor = entry.minor
    nodes[number].data = entry.kind == .symlink ? entry.target : entry.data
  }

  /// The node of a path that another name is to be given.
  private func resolve(_ path: Range<Int>) -> Number? {
    var number = 0
    for name in components([path]) ?? [] {
      guard nodes[number].kind == .directory, let entry = find(name, in: number) else { return nil }
      number = entries[entry].node
    }
    return number
  }
}

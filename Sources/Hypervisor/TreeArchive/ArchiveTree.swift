/// What is wrong with an archive.
package enum TreeError: Error, Equatable {
  /// There is no header at this place where one should be.
  case damaged(place: Int)
  /// The entry there is longer than the archive.
  case truncated(place: Int)
  case tooManyEntries
}

/// The tree that a tar archive holds: nodes by number, the root being 0. Files' data stays where it is.
package struct ArchiveTree {
  package typealias Number = Int

  package struct Node {
    package enum Kind { case file, symlink, character, block, directory, pipe }

    package var kind: Kind
    package var parent: Number
    /// Of bytes of the archive, as are the others.
    package var name: Range<Int>
    package var mode: UInt32 = 0o755
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    package var modified: Int64 = 0
    package var major: UInt32 = 0
    package var minor: UInt32 = 0
    /// Of a file.
    package var data = 0..<0
    /// Of a symbolic link.
    package var target = 0..<0
    package var links: UInt32 = 1
    /// Of a directory: what is in it, by name. A name may stand for a node that has others, too.
    package var children: [Entry] = []
  }

  package struct Entry {
    package var name: Range<Int>
    package var node: Number
  }

  /// Entries beyond which an archive is refused.
  package static let limit = 1 << 20

  package let archive: ArchiveBytes
  package private(set) var nodes: [Node]

  package init(_ archive: ArchiveBytes) throws(TreeError) {
    self.archive = archive
    nodes = [Node(kind: .directory, parent: 0, name: 0..<0, links: 2)]
    var place = 0
    var count = 0
    while let entry = try TarEntry(archive, at: &place) {
      count += 1
      guard count < Self.limit, nodes.count < Self.limit else { throw .tooManyEntries }
      add(entry)
    }
  }

  // MARK: Looking

  package func lookup(_ name: Span<UInt8>, in directory: Number) -> Number? {
    let children = nodes[directory].children
    let place = Self.place(children.count) { archive.compare(children[$0].name, name) }
    return place.isThere ? children[place.index].node : nil
  }

  /// Where in the order of names something is, or belongs.
  private static func place(_ count: Int, _ compare: (Int) -> Int) -> (index: Int, isThere: Bool) {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      let order = compare(middle)
      if order == 0 { return (middle, true) }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return (low, false)
  }

  private func find(_ name: Range<Int>, in directory: Number) -> (index: Int, isThere: Bool) {
    Self.place(nodes[directory].children.count) { archive.compare(nodes[directory].children[$0].name, name) }
  }

  // MARK: Building

  /// The components of a path that mean something.
  private func components(_ path: Range<Int>) -> [Range<Int>] {
    var components: [Range<Int>] = []
    var place = path.lowerBound
    while place < path.upperBound {
      let end = archive.first(UInt8(ascii: "/"), in: place..<path.upperBound)
      let isDot = end - place == 1 && archive[place] == UInt8(ascii: ".")
      if end > place, !isDot { components.append(place..<end) }
      place = end + 1
    }
    return components
  }

  /// One that no system has as a name.
  private func isBad(_ name: Range<Int>) -> Bool {
    name.count > 255 || name.contains { archive[$0] == 0 }
      || (name.count == 2 && archive[name.lowerBound] == UInt8(ascii: ".")
        && archive[name.lowerBound + 1] == UInt8(ascii: "."))
  }

  /// The directory of that name, made where there is none; nil where something else has it.
  private mutating func directory(_ name: Range<Int>, in parent: Number) -> Number? {
    let (index, isThere) = find(name, in: parent)
    if isThere {
      let node = nodes[parent].children[index].node
      return nodes[node].kind == .directory ? node : nil
    }
    return insert(Node(kind: .directory, parent: parent, name: name, links: 2), at: index)
  }

  private mutating func insert(_ node: Node, at index: Int) -> Number {
    let number = nodes.count
    nodes.append(node)
    nodes[node.parent].children.insert(Entry(name: node.name, node: number), at: index)
    if node.kind == .directory { nodes[node.parent].links &+= 1 }
    return number
  }

  /// Adds what an entry says; later entries replace what earlier ones said, directories their attributes. What lies beneath
  /// something that is no directory, or outside of the tree, is left out.
  private mutating func add(_ entry: TarEntry) {
    let path = components(entry.prefix) + components(entry.name)
    guard path.count < 256, !path.contains(where: { isBad($0) }) else { return }
    guard let last = path.last else {
      if entry.kind == .directory { describe(0, entry) }
      return
    }
    var parent = 0
    for name in path.dropLast() {
      guard let next = directory(name, in: parent) else { return }
      parent = next
    }
    let (index, isThere) = find(last, in: parent)
    if entry.kind == .link {
      guard let target = resolve(entry.target), nodes[target].kind != .directory, !isThere else { return }
      nodes[target].links &+= 1
      nodes[parent].children.insert(Entry(name: last, node: target), at: index)
      return
    }
    if isThere {
      let old = nodes[parent].children[index].node
      if nodes[old].kind == .directory {
        if entry.kind == .directory { describe(old, entry) }
        return
      }
      nodes[old].links &-= 1
      nodes[parent].children.remove(at: index)
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
    let number = insert(
      Node(kind: kind, parent: parent, name: last, links: kind == .directory ? 2 : 1), at: index)
    describe(number, entry)
  }

  private mutating func describe(_ number: Number, _ entry: TarEntry) {
    nodes[number].mode = entry.mode
    nodes[number].uid = entry.uid
    nodes[number].gid = entry.gid
    nodes[number].modified = entry.modified
    nodes[number].major = entry.major
    nodes[number].minor = entry.minor
    nodes[number].data = entry.data
    if entry.kind == .symlink { nodes[number].target = entry.target }
  }

  /// The node of a path that another name is to be given.
  private func resolve(_ path: Range<Int>) -> Number? {
    var number = 0
    for name in components(path) {
      guard nodes[number].kind == .directory else { return nil }
      let (index, isThere) = find(name, in: number)
      guard isThere else { return nil }
      number = nodes[number].children[index].node
    }
    return number
  }
}

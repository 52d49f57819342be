import Host

/// A directory as an open handle lists it: straight from the host where one layer has it all, else merged.
struct Listing {
  struct Entry {
    /// With its NUL.
    let name: [UInt8]
    /// DT_* as in readdir(3).
    let type: UInt8
    /// What the host calls its inode number; only a plain listing knows.
    let hostInode: UInt64
    /// Where to go on after this entry; never 0.
    let next: UInt64
  }

  private enum Source {
    case plain(SharedDescriptor)
    case merged([MergedDirectory.Entry])
  }

  private let source: Source
  private var reader: DirectoryReader
  /// In a merged listing: how many entries, `.` and `..` counted, come before the next one.
  private var position: UInt64 = 0
  private let hidesWork: Bool

  init(_ tree: LayeredTree, _ node: Node) throws(Errno) {
    (source, hidesWork) = try tree.namespace.withReadLock { () throws(Errno) -> (Source, Bool) in
      if node.isRemoved { return (.merged([]), false) }
      if node.parts.count == 1, !node.hasPinnedChildren, node.hidden.isEmpty {
        let place = try tree.descriptor(of: node, node.parts[0])
        let dot: [UInt8] = [UInt8(ascii: "."), 0]
        let directory = SharedDescriptor(try FileCalls.openBeneath(place.raw, dot.span, OpenFlags.directory))
        let work = WorkDirectory.name
        return (.plain(directory), tree.isReserved(node, work.span))
      }
      return (.merged(try MergedDirectory(tree, node).entries), false)
    }
    if case .plain = source { reader = DirectoryReader() } else { reader = DirectoryReader(bufferSize: 0) }
  }

  /// Goes to where an entry's `next` points, or to 0 for the start.
  mutating func seek(to offset: UInt64) throws(Errno) {
    switch source {
    case .plain(let directory): try reader.seek(directory.raw, to: offset)
    case .merged: position = offset
    }
  }

  /// The next entry; nil at the end.
  mutating func next() throws(Errno) -> Entry? {
    switch source {
    case .plain(let directory):
      while let entry = try reader.peek(directory.raw) {
        let name = reader.name(entry)
        let isHidden = isHidden(directory, entry, name)
        reader.advance(past: entry)
        if !isHidden { return Entry(name: name, type: entry.type, hostInode: entry.inode, next: entry.next) }
      }
      return nil
    case .merged(let entries):
      let dot = UInt8(ascii: ".")
      let index = position
      guard index < UInt64(entries.count) + 2 else { return nil }
      position += 1
      switch index {
      case 0: return Entry(name: [dot, 0], type: DirectoryReader.typeDirectory, hostInode: 0, next: 1)
      case 1: return Entry(name: [dot, dot, 0], type: DirectoryReader.typeDirectory, hostInode: 0, next: 2)
      default:
        let entry = entries[Int(index) - 2]
        return Entry(name: entry.name, type: entry.type, hostInode: 0, next: position)
      }
    }
  }

  private func isHidden(_ directory: SharedDescriptor, _ entry: DirectoryReader.Entry, _ name: [UInt8]) -> Bool {
    if hidesWork, name == WorkDirectory.name { return true }
    guard entry.type == DirectoryReader.typeCharacterDevice || entry.type == DirectoryReader.typeUnknown else {
      return false
    }
    return (try? FileCalls.status(directory.raw, name.span))?.isWhiteout == true
  }
}

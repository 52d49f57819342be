import Host

/// A directory's names, for the guest to read part by part: straight from the host where one layer has it all, else merged.
///
/// Offsets are the host's own, or in a merged listing made from the names (see `MergedDirectory`), so that any listing of the
/// directory goes on where another one ended, whatever was made or removed meanwhile.
final class Listing {
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

  private let lock = Lock()
  private var cursor: Cursor

  init(_ tree: LayeredTree, _ node: Node) throws(Errno) {
    cursor = try tree.namespace.withReadLock { () throws(Errno) in try Cursor(tree, node) }
  }

  /// Reads from `offset` on, which is where an entry's `next` pointed, or 0. One thread at a time.
  func read(from offset: UInt64, _ body: (inout Cursor) throws(Errno) -> Void) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      try cursor.seek(to: offset)
      try body(&cursor)
    }
  }

  /// A place in the listing.
  struct Cursor {
    /// The one directory of the host that has it all; nil when the listing is merged.
    private var directory: SharedDescriptor?
    private var reader = DirectoryReader()
    private var merged: [MergedDirectory.Entry] = []
    /// In a merged listing: the offset of the entry before the next one, and the next one's index.
    private var position: UInt64 = 0
    private var index = 0
    /// An entry for which there was no room, and the offset that leads to it.
    private var left: (entry: Entry, offset: UInt64)?
    private var hidesWork = false
    /// Of whose whiteouts nothing is shown.
    private var layer: Layer?

    fileprivate init(_ tree: LayeredTree, _ node: Node) throws(Errno) {
      if node.isRemoved { return }
      guard node.parts.count == 1, !node.hasPinnedChildren, node.hidden.isEmpty else {
        merged = try MergedDirectory.entries(of: node, in: tree)
        return
      }
      let place = try tree.descriptor(of: node, node.parts[0])
      let dot: [UInt8] = [UInt8(ascii: "."), 0]
      directory = SharedDescriptor(try FileCalls.openBeneath(place.raw, dot.span, OpenFlags.directory))
      let work = WorkDirectory.name
      hidesWork = tree.isReserved(node, work.span)
      layer = node.parts[0].layer
    }

    fileprivate mutating func seek(to offset: UInt64) throws(Errno) {
      if left?.offset == offset { return }
      left = nil
      if let directory {
        try reader.seek(directory.raw, to: offset)
      } else if offset != position {
        position = offset
        index = MergedDirectory.index(after: offset, in: merged)
      }
    }

    /// Keeps an entry for the next time, so that going on needs no seek: on tmpfs before Linux 6.6 an offset is a count of
    /// entries, and leads past some when those before it were removed.
    ///
    /// - Parameter offset: where the entry before it said to go on.
    mutating func putBack(_ entry: Entry, at offset: UInt64) { left = (entry, offset) }

    /// The next entry; nil at the end.
    mutating func next() throws(Errno) -> Entry? {
      if let (entry, _) = left {
        left = nil
        return entry
      }
      guard let directory else { return nextMerged() }
      while let entry = try reader.peek(directory.raw) {
        let name = reader.name(entry)
        let isHidden = isHidden(directory, entry, name)
        reader.advance(past: entry)
        if !isHidden { return Entry(name: name, type: entry.type, hostInode: entry.inode, next: entry.next) }
      }
      return nil
    }

    private mutating func nextMerged() -> Entry? {
      let dot = UInt8(ascii: ".")
      if position < 2 {
        position += 1
        let name = position == 1 ? [dot, 0] : [dot, dot, 0]
        return Entry(name: name, type: DirectoryReader.typeDirectory, hostInode: 0, next: position)
      }
      guard index < merged.count else { return nil }
      let entry = merged[index]
      index += 1
      position = entry.offset
      return Entry(name: entry.name, type: entry.type, hostInode: 0, next: position)
    }

    private func isHidden(_ directory: SharedDescriptor, _ entry: DirectoryReader.Entry, _ name: [UInt8]) -> Bool {
      if hidesWork, name == WorkDirectory.name { return true }
      guard layer?.mayBeWhiteout(entry.type) == true else { return false }
      return (try? FileCalls.status(directory.raw, name.span))?.isWhiteout == true
    }
  }
}

import Host

/// A directory as an open handle lists it: straight from the host where one layer has it all, else merged.
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

  /// The one directory of the host that has it all; nil when the listing is merged.
  private var directory: SharedDescriptor?
  private var reader: DirectoryReader
  private var merged: [MergedDirectory.Entry] = []
  /// In a merged listing: how many entries, `.` and `..` counted, come before the next one.
  private var position: UInt64 = 0
  private var hidesWork = false

  init(_ tree: LayeredTree, _ node: Node) throws(Errno) {
    reader = DirectoryReader(bufferSize: 0)
    try tree.namespace.withReadLock { () throws(Errno) in
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
      reader = DirectoryReader()
    }
  }

  /// Goes to where an entry's `next` points, or to 0 for the start.
  func seek(to offset: UInt64) throws(Errno) {
    if let directory { try reader.seek(directory.raw, to: offset) } else { position = offset }
  }

  /// The next entry; nil at the end.
  func next() throws(Errno) -> Entry? {
    guard let directory else { return nextMerged() }
    while let entry = try reader.peek(directory.raw) {
      let name = reader.name(entry)
      let isHidden = isHidden(directory, entry, name)
      reader.advance(past: entry)
      if !isHidden { return Entry(name: name, type: entry.type, hostInode: entry.inode, next: entry.next) }
    }
    return nil
  }

  private func nextMerged() -> Entry? {
    let dot = UInt8(ascii: ".")
    let index = position
    guard index < UInt64(merged.count) + 2 else { return nil }
    position += 1
    switch index {
    case 0: return Entry(name: [dot, 0], type: DirectoryReader.typeDirectory, hostInode: 0, next: 1)
    case 1: return Entry(name: [dot, dot, 0], type: DirectoryReader.typeDirectory, hostInode: 0, next: 2)
    default:
      let entry = merged[Int(index) - 2]
      return Entry(name: entry.name, type: entry.type, hostInode: 0, next: position)
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

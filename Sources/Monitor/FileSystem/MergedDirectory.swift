import Host

/// The listing of a directory that several layers have, made at once: a name shows as the topmost layer has it.
///
/// Names come in the order of a hash, as in a directory of ext4, and the hash is the offset that they are found by again.
enum MergedDirectory {
  struct Entry {
    /// With its NUL.
    let name: [UInt8]
    /// DT_* as in readdir(3).
    let type: UInt8
    /// Of this entry and no other; those up to 2 are for `.` and `..`.
    var offset: UInt64
  }

  private static func hash(_ name: [UInt8], _ seed: UInt64) -> UInt64 {
    var hash = seed
    for byte in name { hash = ((hash ^ UInt64(byte)) &* 0x100_0000_01b3) ^ (hash >> 47) }
    hash ^= hash >> 29
    // Positive as an off_t, and with room to count up where two are the same.
    return hash >> 2 | 4
  }

  /// In order of offset, each with one of its own.
  static func ordered(_ entries: [Entry]) -> [Entry] {
    var entries = entries.sorted {
      $0.offset != $1.offset ? $0.offset < $1.offset : $0.name.lexicographicallyPrecedes($1.name)
    }
    for index in entries.indices.dropFirst() {
      entries[index].offset = max(entries[index].offset, entries[index - 1].offset + 1)
    }
    return entries
  }

  /// The first entry behind an offset.
  static func index(after offset: UInt64, in entries: [Entry]) -> Int {
    var (low, high) = (0, entries.count)
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].offset <= offset { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// - Parameter stopAtFirst: one entry is enough to know that the directory is not empty.
  static func entries(
    of node: Node, in tree: LayeredTree, stopAtFirst: Bool = false
  ) throws(Errno) -> [Entry] {
    var entries: [Entry] = []
    var seen: Set<[UInt8]> = []
    var reader = DirectoryReader()
    var files = node.files[...]
    func addFiles(above rank: Int) {
      while let layer = files.first, layer.isShare || layer.rank < rank {
        files.removeFirst()
        let name = layer.file!.guestName
        if layer.isRead && node.hides(name.span) || !tree.isThere(layer) { continue }
        if seen.insert(name).inserted {
          entries.append(Entry(name: name, type: DirectoryReader.typeRegular, offset: hash(name, tree.listingSeed)))
        }
      }
    }
    let parts = node.parts
    // The names of many packs are kept for lookups, where they are read anyway.
    var firstOfIndex = stopAtFirst ? nil : tree.indices.placeForIndex(parts)
    var maker = tree.indices.maker()
    for (index, part) in parts.enumerated() {
      addFiles(above: part.layer.rank)
      let directory: FileDescriptor
      do throws(Errno) {
        directory = try tree.openToRead(node, part)
      } catch {
        // A lower directory that the host does not let us read shows nothing of its own.
        if error == .accessDenied, index > 0 {
          firstOfIndex = nil
          continue
        }
        throw error
      }
      defer { if let firstOfIndex, index >= firstOfIndex { maker.endPack() } }
      try reader.seek(directory.raw, to: 0)
      while let entry = try reader.peek(directory.raw) {
        let name = reader.name(entry)
        reader.advance(past: entry)
        if let firstOfIndex, index >= firstOfIndex { maker.add(name) }
        if DirectoryReader.isDot(name.span) || tree.isReserved(node, name.span) { continue }
        if part.layer.isRead, node.hides(name.span) { continue }
        guard seen.insert(name).inserted else { continue }
        if part.layer.mayBeWhiteout(entry.type), let status = try? FileCalls.status(directory.raw, name.span),
          status.isWhiteout
        {
          continue
        }
        entries.append(Entry(name: name, type: entry.type, offset: hash(name, tree.listingSeed)))
        if stopAtFirst { return entries }
      }
    }
    addFiles(above: .max)
    if let firstOfIndex { tree.indices.set(maker, parts[firstOfIndex]) }
    for name in tree.pinnedNames(node) where seen.insert(name).inserted {
      entries.append(Entry(name: name, type: DirectoryReader.typeDirectory, offset: hash(name, tree.listingSeed)))
    }
    return ordered(entries)
  }
}

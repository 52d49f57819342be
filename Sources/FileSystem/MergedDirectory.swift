import Host

/// The listing of a directory that several layers have, made at once: a name shows as the topmost layer has it.
enum MergedDirectory {
  struct Entry {
    /// With its NUL.
    let name: [UInt8]
    /// DT_* as in readdir(3).
    let type: UInt8
  }

  /// - Parameter stopAtFirst: one entry is enough to know that the directory is not empty.
  static func entries(
    of node: Node, in tree: LayeredTree, stopAtFirst: Bool = false
  ) throws(Errno) -> [Entry] {
    var entries: [Entry] = []
    var seen: Set<[UInt8]> = []
    var reader = DirectoryReader()
    for (index, part) in node.parts.enumerated() {
      let directory: FileDescriptor
      do throws(Errno) {
        let place = try tree.descriptor(of: node, part)
        let dot: [UInt8] = [UInt8(ascii: "."), 0]
        directory = try FileCalls.openBeneath(place.raw, dot.span, OpenFlags.directory)
      } catch {
        // A lower directory that the host does not let us read shows nothing of its own.
        if error == .accessDenied, index > 0 { continue }
        throw error
      }
      try reader.seek(directory.raw, to: 0)
      while let entry = try reader.peek(directory.raw) {
        let name = reader.name(entry)
        reader.advance(past: entry)
        if DirectoryReader.isDot(name.span) || tree.isReserved(node, name.span) { continue }
        if !part.layer.isWritable, node.hides(name.span) { continue }
        guard seen.insert(name).inserted else { continue }
        if entry.type == DirectoryReader.typeCharacterDevice || entry.type == DirectoryReader.typeUnknown,
          let status = try? FileCalls.status(directory.raw, name.span), status.isWhiteout
        {
          continue
        }
        entries.append(Entry(name: name, type: entry.type))
        if stopAtFirst { return entries }
      }
    }
    for name in tree.pinnedNames(node) where seen.insert(name).inserted {
      entries.append(Entry(name: name, type: DirectoryReader.typeDirectory))
    }
    return entries
  }
}

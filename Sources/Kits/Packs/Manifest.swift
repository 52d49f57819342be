import Host

/// All that a pack is, in order of paths. Its digest names the pack.
package struct Manifest: Equatable, Sendable {
  /// The top first, each directory before what is in it, strictly ascending.
  package let entries: [PackEntry]

  /// Sorts entries, and makes the first of a file's names the file and the others links to it.
  ///
  /// - Parameter entries: with unique paths that `PackEntry.isPath` takes, each one's directory among them; the top may be
  ///   missing. Links lead to files.
  package init(sorting entries: [PackEntry]) {
    var entries = entries
    if !entries.contains(where: { $0.path.isEmpty }) {
      entries.append(PackEntry(path: [], kind: .directory(isOpaque: false), mode: 0o755))
    }
    entries.sort { PackEntry.precedes($0.path, $1.path) }
    var places: [[UInt8]: Int] = [:]
    for (index, entry) in entries.enumerated() { places[entry.path] = index }
    // A link that sorts before its file becomes the file.
    for index in entries.indices {
      guard case .link(let target) = entries[index].kind, let file = places[target] else { continue }
      if case .link(let first) = entries[file].kind {
        entries[index].kind = .link(to: first)
      } else if file > index {
        let path = entries[index].path
        entries[index] = entries[file]
        entries[index].path = path
        entries[file] = PackEntry(path: target, kind: .link(to: path))
      }
    }
    self.entries = entries
  }

  private init(checked entries: [PackEntry]) { self.entries = entries }

  /// Bytes of all files, one with several names once.
  package var size: UInt64 {
    entries.reduce(0) { sum, entry in
      if case .file(let size, _) = entry.kind { sum &+ size } else { sum }
    }
  }

  /// Reads what `encoded` gave.
  ///
  /// - Returns: nil for anything else, down to the last byte: one manifest has one form, so that one tree has one digest.
  package init?(decoding bytes: [UInt8]) {
    guard let entries = ManifestText.decode(bytes) else { return nil }
    var directories: Set<[UInt8]> = []
    var files: Set<[UInt8]> = []
    var last: [UInt8]?
    for entry in entries {
      if let last, !PackEntry.precedes(last, entry.path) { return nil }
      last = entry.path
      guard let parent = entry.parent else {
        guard entry.isDirectory else { return nil }
        directories.insert([])
        continue
      }
      guard PackEntry.isPath(entry.path), directories.contains(parent) else { return nil }
      switch entry.kind {
      case .directory: directories.insert(entry.path)
      case .file: files.insert(entry.path)
      case .link(let target): if !files.contains(target) { return nil }
      default: break
      }
    }
    guard entries.first?.path == [] else { return nil }
    self.init(checked: entries)
    if encoded != bytes { return nil }
  }

  /// The manifest as text, one line for each entry and one for each of its attributes.
  package var encoded: [UInt8] { ManifestText.encode(entries) }
}

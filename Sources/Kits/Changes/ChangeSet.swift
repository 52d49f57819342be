import FileSystem
import Glibc
import Host
import Packs

/// What a machine changed: its tree as it would be without what it wrote, compared with what it wrote.
///
/// Times are not compared, nor directories for what is in them. What is mounted in the guest, such as `/tmp` and shares, is
/// not in the tree.
package final class ChangeSet {
  /// One change and what it comes from.
  struct Item {
    let change: Change
    /// nil for what is gone.
    let entry: PackEntry?
    let written: WrittenTree
    let before: TreeView.Item?
  }

  let before: TreeView
  let items: [Item]
  /// Some of the paths that are longer than the 4,095 bytes that any call takes. What lies there is left out.
  package let tooDeep: [[UInt8]]

  /// In the order of paths, a directory before what is in it.
  package var changes: [Change] { items.map(\.change) }

  /// - Parameters:
  ///   - reads: the layers below, later ones above earlier ones.
  ///   - hides: guest paths that they do not show.
  ///   - written: what the machine wrote.
  ///   - comparesOwners: not where the owners of the host stand for others in the guest.
  ///   - paths: only these and what is below them; all if there are none. Absolute.
  package init(
    reads: [LayerMap], hides: [Path] = [], written: [WrittenTree], comparesOwners: Bool = true, paths: [[UInt8]] = []
  ) throws(ChangesError) {
    let before: TreeView
    do { before = try TreeView(reads: reads, hides: hides) } catch { throw .tree(error) }
    var items: [Item] = []
    var tooDeep: [[UInt8]] = []
    for tree in written {
      var scan = Scan(before: before, written: tree, comparesOwners: comparesOwners)
      try scan.run()
      items += scan.items
      tooDeep += scan.tooDeep
    }
    let slash = UInt8(ascii: "/")
    let wanted = paths.map { path in [slash] + path.split(separator: slash).joined(separator: [slash]) }
    items = items.filter { item in
      let path = item.change.path
      return wanted.isEmpty || wanted.contains { path == $0 || $0 == [slash] || path.starts(with: $0 + [slash]) }
    }
    self.before = before
    self.tooDeep = tooDeep
    self.items = items.sorted { PackEntry.precedes($0.change.path, $1.change.path) }
  }

  private func item(of change: Change) -> Item? {
    var (low, high) = (0, items.count)
    while low < high {
      let middle = (low + high) / 2
      if PackEntry.precedes(items[middle].change.path, change.path) { low = middle + 1 } else { high = middle }
    }
    return items[low...].prefix { $0.change.path == change.path }.first { $0.change == change }
  }

  /// The file as it was and as it is, for what is or was a regular one; nil for a side that is none.
  package func contents(of change: Change) throws(ChangesError) -> (before: Int32?, after: Int32?)? {
    guard let item = item(of: change) else { return nil }
    var sides: (before: Int32?, after: Int32?) = (nil, nil)
    do throws(Errno) {
      if let before = item.before, before.status.isRegular { sides.before = try before.open().release() }
      if let entry = item.entry, change.file == .file {
        sides.after = try item.written.open(entry.path).release()
      }
    } catch {
      if let before = sides.before { close(before) }
      throw .system(.read, path: change.path, error)
    }
    return sides.before == nil && sides.after == nil ? nil : sides
  }
}

/// One walk through what a machine wrote.
private struct Scan {
  let before: TreeView
  let written: WrittenTree
  let comparesOwners: Bool
  var items: [ChangeSet.Item] = []
  private(set) var tooDeep: [[UInt8]] = []
  /// By path in the written tree: what else names of hard links stand for.
  private var entries: [[UInt8]: PackEntry] = [:]
  /// Directories in which nothing of the layers below shows.
  private var opaque: Set<[UInt8]> = []

  init(before: TreeView, written: WrittenTree, comparesOwners: Bool) {
    self.before = before
    self.written = written
    self.comparesOwners = comparesOwners
  }

  mutating func run() throws(ChangesError) {
    let (list, deep) = try written.entries()
    tooDeep = deep.map(written.path)
    for entry in list { entries[entry.path] = entry }
    for entry in list {
      var entry = entry
      if case .link(let target) = entry.kind, let file = entries[target] {
        let path = entry.path
        entry = file
        entry.path = path
      }
      let path = written.path(entry.path)
      do throws(Errno) {
        try take(entry, path)
      } catch {
        throw .system(.read, path: path, error)
      }
    }
  }

  private mutating func take(_ entry: PackEntry, _ path: [UInt8]) throws(Errno) {
    let was = try before.item(at: path)
    let isBelowOpaque = entry.parent.map(opaque.contains) ?? false
    switch entry.kind {
    case .whiteout:
      if let was { add(Change(path: path, kind: .deleted, file: was.kind, size: was.size), nil, was) }
      return
    case .directory(let isOpaque):
      if isOpaque || isBelowOpaque {
        opaque.insert(entry.path)
        if let was, was.status.isDirectory { try takeHidden(was, entry, path) }
      }
    default: break
    }
    guard let was else {
      return add(Change(path: path, kind: .added, file: entry.fileKind, size: entry.size), entry, nil)
    }
    let parts = try difference(was, entry)
    if parts.isEmpty { return }
    add(Change(path: path, kind: .changed, file: entry.fileKind, size: entry.size, parts: parts), entry, was)
  }

  /// What an opaque directory hides without having anything of the name itself.
  private mutating func takeHidden(_ was: TreeView.Item, _ entry: PackEntry, _ path: [UInt8]) throws(Errno) {
    for name in try was.names() {
      let inside = entry.path.isEmpty ? name : entry.path + [UInt8(ascii: "/")] + name
      // What is too deep may be there.
      guard entries[inside] == nil, inside.count < 4096 else { continue }
      let gone = written.path(inside)
      guard let item = try before.item(at: gone) else { continue }
      add(Change(path: gone, kind: .deleted, file: item.kind, size: item.size), nil, item)
    }
  }

  private mutating func add(_ change: Change, _ entry: PackEntry?, _ before: TreeView.Item?) {
    var change = change
    if case .symlink(let target)? = entry?.kind {
      change.target = target
    } else if entry == nil, let before, before.kind == .symlink {
      change.target = try? before.linkTarget()
    }
    items.append(ChangeSet.Item(change: change, entry: entry, written: written, before: before))
  }

  private func difference(_ was: TreeView.Item, _ entry: PackEntry) throws(Errno) -> Change.Parts {
    guard was.kind == entry.fileKind else { return [.kind] }
    var parts: Change.Parts = []
    switch entry.kind {
    case .file(let size, _):
      let isSame = size == was.status.length ? try hasSameBytes(was, entry.path) : false
      if !isSame { parts.insert(.content) }
    case .symlink(let target):
      if try was.linkTarget() != target { parts.insert(.content) }
    case .device(_, let major, let minor):
      if was.status.specialMajor != major || was.status.specialMinor != minor { parts.insert(.content) }
    default: break
    }
    if comparesOwners, was.status.uid != entry.uid || was.status.gid != entry.gid { parts.insert(.owner) }
    if was.kind == .symlink { return parts }
    if was.status.mode & 0o7777 != entry.mode { parts.insert(.mode) }
    var attributes: [PackEntry.Attribute] = []
    for (name, value) in try was.attributes() where TreeMetadata.isKept(name) {
      attributes.append(PackEntry.Attribute(name: name, value: value))
    }
    attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
    if attributes != entry.attributes { parts.insert(.attributes) }
    return parts
  }

  private func hasSameBytes(_ was: TreeView.Item, _ entry: [UInt8]) throws(Errno) -> Bool {
    let one = try was.open()
    let other = try written.open(entry)
    var (mine, others) = ([UInt8](repeating: 0, count: 1 << 17), [UInt8](repeating: 0, count: 1 << 17))
    var offset: UInt64 = 0
    while true {
      // Regular files of the host read short only at their end.
      let count = try FileCalls.read(one.raw, at: offset, into: &mine)
      guard try FileCalls.read(other.raw, at: offset, into: &others) == count else { return false }
      if count == 0 { return true }
      guard mine[..<count] == others[..<count] else { return false }
      offset += UInt64(count)
    }
  }
}

extension TreeView.Item {
  var kind: Change.FileKind { Change.FileKind(mode: status.mode) }
  var size: UInt64? { status.isRegular ? status.length : nil }
}

extension PackEntry {
  var fileKind: Change.FileKind {
    switch kind {
    case .directory: .directory
    case .symlink: .symlink
    case .fifo: .fifo
    case .device(let isBlock, _, _): isBlock ? .blockDevice : .characterDevice
    case .file, .link, .whiteout: .file
    }
  }

  var size: UInt64? {
    if case .file(let size, _) = kind { size } else { nil }
  }
}

extension Change.FileKind {
  init(mode: UInt32) {
    switch mode & FileType.mask {
    case FileType.directory: self = .directory
    case FileType.symlink: self = .symlink
    case FileType.fifo: self = .fifo
    case FileType.socket: self = .socket
    case FileType.characterDevice: self = .characterDevice
    case FileType.blockDevice: self = .blockDevice
    default: self = .file
    }
  }
}

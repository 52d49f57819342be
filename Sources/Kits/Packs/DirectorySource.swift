import CLinux
import Glibc
import Host

/// A directory of the host, or what a machine wrote into one, as entries of a pack.
package struct DirectorySource {
  package let path: [UInt8]
  package var patterns: PathPatterns
  /// Whether owners are kept as in a write map without root: what belongs to the user is root's, and
  /// `user.containers.override_stat` tells of all else.
  package var isRecorded: Bool
  /// Whether files are hard links because packs share them, and not because they are one.
  var isPack = false
  /// Whether files are read. If not, each has its length, and a digest that says nothing.
  package var readsFiles = true

  package init(_ path: [UInt8], patterns: PathPatterns, isRecorded: Bool = geteuid() != 0) {
    self.path = path
    self.patterns = patterns
    self.isRecorded = isRecorded
  }

  /// Takes everything in.
  ///
  /// - Parameter progress: called with the number of entries so far.
  package func read(into builder: PackBuilder, progress: (Int) -> Void = { _ in }) throws(PackError) {
    let root = try Names.directory(Path(path))
    var walk = DirectoryWalk(source: self, builder: builder)
    try walk.take(root.raw, progress: progress)
    builder.entries = walk.taken
  }

  /// All that has a path that a pack can have, and the first of the paths that are longer: nobody keeps others from seeing what
  /// he did by going deep.
  package func entriesOfShortPaths() throws(PackError) -> (entries: [PackEntry], tooLong: [[UInt8]]) {
    let root = try Names.directory(Path(path))
    var walk = DirectoryWalk(source: self, builder: nil)
    walk.passesOverLongPaths = true
    try walk.take(root.raw) { _ in }
    return (walk.taken, walk.tooLong)
  }

  /// All that a pack of it would have.
  package func entries() throws(PackError) -> [PackEntry] {
    let root = try Names.directory(Path(path))
    var walk = DirectoryWalk(source: self, builder: nil)
    try walk.take(root.raw) { _ in }
    return walk.taken
  }
}

/// One walk through a directory.
struct DirectoryWalk {
  let source: DirectorySource
  /// nil to look only: files are then hashed.
  let builder: PackBuilder?
  /// Or they are an error.
  var passesOverLongPaths = false
  private(set) var tooLong: [[UInt8]] = []
  private var entries: [PackEntry] = []
  /// Directories that count only if something in them does.
  private var tentative: Set<[UInt8]> = []
  /// The first name of each file that has several.
  private var names: [FileKey: [UInt8]] = [:]

  private struct FileKey: Hashable {
    var device: UInt64
    var inode: UInt64
  }

  init(source: DirectorySource, builder: PackBuilder?) {
    self.source = source
    self.builder = builder
  }

  private struct Level {
    var path: [UInt8]
    var isIncluded: Bool
    var names: ArraySlice<[UInt8]>
  }

  /// What was taken in.
  var taken: [PackEntry] {
    if tentative.isEmpty { return entries }
    var needed: Set<[UInt8]> = [[]]
    // What is in a directory comes behind it.
    return entries.reversed().filter { entry in
      if tentative.contains(entry.path), !needed.contains(entry.path) { return false }
      if let parent = entry.parent { needed.insert(parent) }
      return true
    }
  }

  /// Takes in what is in an open directory, and it itself.
  mutating func take(_ root: Int32, progress: (Int) -> Void) throws(PackError) {
    let patternless = source.patterns.verdict([], isIncluded: false) == .taken
    if let top = try entry([], root, FileCalls.itself, try status(root, FileCalls.itself, [])) { try append(top) }
    var descent = DirectoryDescent(from: root)
    var levels = [Level(path: [], isIncluded: patternless, names: try list(root, [])[...])]
    while let level = levels.last {
      guard let name = levels[levels.count - 1].names.popFirst() else {
        try leave(&descent, level.path)
        levels.removeLast()
        continue
      }
      let path = level.path.isEmpty ? name : level.path + [PackEntry.slash] + name
      if level.path.isEmpty, name == Self.work { continue }
      let verdict = source.patterns.verdict(path, isIncluded: level.isIncluded)
      if verdict == .left { continue }
      guard let status = try statusIfThere(descent.current, name + [0], path) else { continue }
      let isDirectory = status.isDirectory
      if verdict == .maybe, !isDirectory { continue }
      guard PackEntry.isPath(path) else {
        guard passesOverLongPaths else {
          throw .unrepresentable(
            path: host(path), "its path is longer than the 4,095 bytes that a pack can have; --exclude leaves it out")
        }
        if tooLong.count < 16 { tooLong.append(path) }
        continue
      }
      if !isDirectory {
        try takeFile(path, descent.current, name + [0], status)
        if entries.count % 256 == 0 { progress(entries.count) }
        continue
      }
      guard let entry = try entry(path, descent.current, name + [0], status) else { continue }
      try append(entry)
      if verdict == .maybe { tentative.insert(path) }
      try enter(&descent, name + [0], path)
      levels.append(
        Level(
          path: path, isIncluded: level.isIncluded || verdict == .taken, names: try list(descent.current, path)[...]))
    }
  }

  private static let work = [UInt8](".novm.work".utf8)

  private mutating func append(_ entry: PackEntry) throws(PackError) {
    entries.append(entry)
    if let builder, entries.count > builder.limits.entries {
      throw .limit(source: source.path, path: entry.path, .entries(builder.limits.entries))
    }
  }

  private mutating func takeFile(
    _ path: [UInt8], _ directory: Int32, _ name: [UInt8], _ status: FileStatus
  ) throws(PackError) {
    if status.isWhiteout { return try append(PackEntry(path: path, kind: .whiteout)) }
    let key = FileKey(device: status.device, inode: status.inode)
    let isLinked = status.links > 1 && status.isRegular && !source.isPack
    if isLinked, let first = names[key] { return try append(PackEntry(path: path, kind: .link(to: first))) }
    guard let entry = try entry(path, directory, name, status) else { return }
    if isLinked, case .file = entry.kind { names[key] = path }
    try append(entry)
  }

  // MARK: One entry

  /// - Returns: nil for what no pack can have: a socket.
  private func entry(
    _ path: [UInt8], _ directory: Int32, _ name: [UInt8], _ status: FileStatus
  ) throws(PackError) -> PackEntry? {
    var seen = status
    decodeOwner(&seen, directory, name)
    var entry = PackEntry(
      path: path, kind: .whiteout, mode: seen.mode, uid: seen.uid, gid: seen.gid, modified: status.modified)
    do throws(Errno) {
      switch seen.mode & FileType.mask {
      case FileType.directory: entry.kind = .directory(isOpaque: isOpaque(directory, name))
      case FileType.symlink:
        let target = try FileCalls.readLink(directory, name.span)
        if target.isEmpty { throw .stale }
        entry.kind = .symlink(target: target)
        entry.mode = 0o777
      case FileType.fifo: entry.kind = .fifo
      case FileType.characterDevice, FileType.blockDevice:
        entry.kind = .device(
          isBlock: seen.mode & FileType.mask == FileType.blockDevice, major: seen.specialMajor,
          minor: seen.specialMinor)
      case FileType.socket: return nil
      default: break
      }
      if !status.isSymlink { entry.attributes = try attributes(directory, name, status) }
    } catch {
      throw .system(operation: .read, path: host(path), error)
    }
    if FileCalls.goesOnBelow(directory, name.span, status) {
      throw .unrepresentable(
        path: host(path), "overlayfs has the rest of it in a layer below; give a directory with the overlay mounted")
    }
    guard seen.isRegular else { return entry }
    guard source.readsFiles else {
      entry.kind = .file(size: status.length, digest: .none)
      return entry
    }
    let file = try openFile(directory, name, status, path)
    let content: PackBuilder.Content
    if let builder {
      content = try builder.add(file: file.raw, length: status.length, source: source.path, host(path))
    } else {
      content = try Self.hash(file.raw, host(path))
    }
    if let after = try? FileCalls.status(file.raw), after.modified != status.modified || after.length != status.length {
      throw .changed(path: host(path))
    }
    entry.kind = .file(size: content.size, digest: content.digest)
    return entry
  }

  private func openFile(
    _ directory: Int32, _ name: [UInt8], _ status: FileStatus, _ path: [UInt8]
  ) throws(PackError) -> FileDescriptor {
    do throws(Errno) {
      return try FileCalls.openRegular(directory, name.span, OpenFlags.read) {
        $0.inode == status.inode && $0.device == status.device
      }
    } catch {
      throw error == .stale ? .changed(path: host(path)) : .system(operation: .open, path: host(path), error)
    }
  }

  static func hash(_ file: Int32, _ path: [UInt8]) throws(PackError) -> PackBuilder.Content {
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
    var size: UInt64 = 0
    do throws(Errno) {
      while true {
        let count = try FileCalls.read(file, at: size, into: &buffer)
        if count == 0 { break }
        hash.update(buffer, count: count)
        size += UInt64(count)
      }
    } catch {
      throw .system(operation: .read, path: path, error)
    }
    return PackBuilder.Content(size: size, digest: hash.digest())
  }

  private func decodeOwner(_ status: inout FileStatus, _ directory: Int32, _ name: [UInt8]) {
    guard source.isRecorded else { return FileCalls.decodePrivileges(&status, directory, name.span) }
    if heedsRecords(status) {
      if status.isRegular || status.isDirectory,
        let value = try? FileCalls.attribute(directory, name.span, MarkName.overrideStat),
        let record = OverrideStat(parsing: value.span, hostType: status.mode & FileType.mask)
      {
        return record.apply(to: &status)
      }
      if status.isSymlink, let owner = FileCalls.linkOwner(directory, name.span),
        source.isPack || (try? FileCalls.status(directory))?.uid == geteuid()
      {
        (status.uid, status.gid) = (owner.uid, owner.gid)
        return
      }
    }
    if status.uid == geteuid() { status.uid = 0 }
    if status.gid == getegid() { status.gid = 0 }
  }

  /// Whether what stands beside a file in `user.containers.*` says what it is to a guest. Whoever owns a file can write that, so
  /// others' do not count, nor do any where root keeps what is real (`LayeredTree.decodeOwner`).
  private func heedsRecords(_ status: FileStatus) -> Bool {
    source.isRecorded && (source.isPack || status.uid == geteuid())
  }

  private func isOpaque(_ directory: Int32, _ name: [UInt8]) -> Bool {
    for mark in [MarkName.opaqueTrusted, MarkName.opaqueUser] {
      if mark == MarkName.opaqueTrusted, geteuid() != 0 { continue }
      if (try? FileCalls.attribute(directory, name.span, mark)) == MarkName.yes { return true }
    }
    return false
  }

  private func attributes(
    _ directory: Int32, _ name: [UInt8], _ status: FileStatus
  ) throws(Errno) -> [PackEntry.Attribute] {
    var attributes: [PackEntry.Attribute] = []
    for kept in try FileCalls.attributeNames(directory, name.span).split(separator: 0) {
      var shown = Array(kept)
      if heedsRecords(status), shown.starts(with: MarkName.overridePrefix) {
        shown.removeFirst(MarkName.overridePrefix.count)
      }
      if !source.isRecorded, kept == MarkName.privilegedCapability.dropLast() {
        guard FileCalls.isSealed(directory, name.span) else { continue }
        shown = TreeMetadata.capability
      }
      guard TreeMetadata.isKept(shown), shown.count == kept.count || !shown.starts(with: "user.".utf8),
        let value = try FileCalls.attribute(directory, name.span, kept + [0]),
        kept != MarkName.capability.dropLast() || value != FileCalls.seal
      else { continue }
      attributes.append(.init(name: shown, value: value))
    }
    attributes.sort { $0.name.lexicographicallyPrecedes($1.name) }
    // The same one plain and recorded: the record is the guest's.
    return attributes.reduce(into: []) { list, next in
      if list.last?.name == next.name { list.removeLast() }
      list.append(next)
    }
  }

  // MARK: Calls

  private func host(_ path: [UInt8]) -> [UInt8] {
    path.isEmpty ? source.path : source.path + [PackEntry.slash] + path
  }

  private func list(_ directory: Int32, _ path: [UInt8]) throws(PackError) -> [[UInt8]] {
    do throws(Errno) {
      return try FileCalls.names(directory)
    } catch {
      throw .system(operation: .list, path: host(path), error)
    }
  }

  private func enter(_ descent: inout DirectoryDescent, _ name: [UInt8], _ path: [UInt8]) throws(PackError) {
    do throws(Errno) {
      try descent.enter(name.span)
    } catch {
      throw .system(operation: .open, path: host(path), error)
    }
  }

  private func leave(_ descent: inout DirectoryDescent, _ path: [UInt8]) throws(PackError) {
    do throws(Errno) {
      try descent.leave()
    } catch {
      throw error == .stale ? .changed(path: host(path)) : .system(operation: .open, path: host(path), error)
    }
  }

  private func status(_ directory: Int32, _ name: [UInt8], _ path: [UInt8]) throws(PackError) -> FileStatus {
    do throws(Errno) {
      return try FileCalls.status(directory, name.span)
    } catch {
      throw .system(operation: .open, path: host(path), error)
    }
  }

  private func statusIfThere(_ directory: Int32, _ name: [UInt8], _ path: [UInt8]) throws(PackError) -> FileStatus? {
    do throws(PackError) {
      return try status(directory, name, path)
    } catch {
      if case .system(_, _, .notFound) = error { return nil }
      throw error
    }
  }
}

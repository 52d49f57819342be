import FileSystem
import Glibc
import Host
import Packs

/// Brings changes back to the host directories that the machine had as layers.
///
/// Each file appears at its place whole, by rename(2), and nothing is changed of what somebody else has changed since. Not
/// brought back: set-user-ID and set-group-ID bits, capabilities and `trusted.*`, which a guest shall not give to programs
/// of the host, and, without root, owners. Names of one file become files of their own. Nothing on the way is followed
/// that is a symbolic link on the host.
package struct ChangeApplication {
  private let set: ChangeSet
  private let baseline: FileTime
  private let overwrites: Bool
  private let fixed: Set<[UInt8]>

  /// - Parameters:
  ///   - baseline: what was changed on the host after this moment is not touched.
  ///   - overwrites: it is all the same.
  ///   - fixed: host paths of layers that nothing is brought back to, besides packs.
  package init(_ set: ChangeSet, since baseline: FileTime, overwrites: Bool = false, fixed: [[UInt8]] = []) {
    self.set = set
    self.baseline = baseline
    self.overwrites = overwrites
    self.fixed = Set(fixed)
  }

  /// A change and where it goes: for what was removed all places, else one.
  private struct Step {
    let item: ChangeSet.Item
    let places: [TreeView.Origin]
  }

  /// Applies all changes, or none if something is in the way of one.
  ///
  /// - Parameter progress: called with each path before it is changed.
  package func run(progress: (Change) -> Void = { _ in }) throws(ChangesError) {
    var steps: [Step] = []
    var obstacles: [Obstacle] = []
    for item in set.items {
      do throws(Errno) {
        let places = try places(of: item)
        steps.append(Step(item: item, places: places))
        if let reason = try obstacle(to: item, at: places) {
          obstacles.append(Obstacle(path: item.change.path, reason: reason))
        }
      } catch {
        throw .system(.read, path: item.change.path, error)
      }
    }
    if !obstacles.isEmpty { throw .obstacles(obstacles) }

    for step in steps {
      progress(step.item.change)
      for place in step.places { try apply(step.item, at: place) }
    }
    // Last, and from below: a directory may keep its owner from making anything in it.
    for step in steps.reversed() {
      guard let entry = step.item.entry, entry.isDirectory, let place = step.places.first else { continue }
      try attempt(.change, step.item) { () throws(Errno) in
        let file = try Target(place).pinned(.directory)
        let itself = FileCalls.itself
        try FileCalls.changeMode(file.raw, itself.span, entry.mode & 0o1777)
        if step.item.change.kind == .added {
          try FileCalls.changeTimes(file.raw, accessed: .keep, modified: .set(entry.modified))
        }
      }
    }
    var synced: Set<[UInt8]> = []
    for step in steps {
      for place in step.places where synced.insert(place.map.hostPath.bytes).inserted {
        try attempt(.change, step.item) { () throws(Errno) in
          let root = try FileDescriptor.open(place.map.hostPath, OpenFlags.directory)
          try FileCalls.syncFileSystem(root.raw)
        }
      }
    }
  }

  // MARK: Where to, and whether

  private func places(of item: ChangeSet.Item) throws(Errno) -> [TreeView.Origin] {
    let path = item.change.path
    guard item.change.kind == .deleted else { return try place(of: path).map { [$0] } ?? [] }
    // Gone from all layers, or one below would show.
    let (parent, name) = Self.split(path)
    guard let parent = try set.before.item(at: parent) else { return [] }
    var places: [TreeView.Origin] = []
    for origin in parent.origins {
      let place = Self.inside(origin, name)
      if try Target(place).status() != nil { places.append(place) }
    }
    return places
  }

  /// Where a path is on the host in the topmost layer, or where it would be made.
  private func place(of path: [UInt8]) throws(Errno) -> TreeView.Origin? {
    var (path, missing) = (path, [[UInt8]]())
    while true {
      if let origin = try set.before.item(at: path)?.origins.first {
        return missing.reversed().reduce(origin) { Self.inside($0, $1) }
      }
      if path == [Self.slash] { return nil }
      let (parent, name) = Self.split(path)
      missing.append(name)
      path = parent
    }
  }

  private func obstacle(to item: ChangeSet.Item, at places: [TreeView.Origin]) throws(Errno) -> Obstacle.Reason? {
    switch item.change.file {
    case .characterDevice, .blockDevice, .socket: if item.entry != nil { return .notAFile }
    default: break
    }
    if places.isEmpty { return .notAHostDirectory }
    for place in places {
      if place.map.isPack || fixed.contains(place.map.hostPath.bytes) { return .notAHostDirectory }
      guard item.before != nil, !overwrites else { continue }
      let target = try Target(place)
      let replacesAll = item.change.kind == .deleted || item.change.parts.contains(.kind)
      if let changed = try changedSince(target.directory.raw, target.name, all: replacesAll) {
        return .changedOnHost(path: place.map.hostPath.bytes + [Self.slash] + place.path + changed)
      }
    }
    return nil
  }

  /// The path below a name of what was changed since the baseline; nil if nothing was.
  ///
  /// - Parameter all: whether to look at everything in a directory.
  private func changedSince(_ directory: Int32, _ name: [UInt8], all: Bool) throws(Errno) -> [UInt8]? {
    let status = try FileCalls.status(directory, name.span)
    // A directory changes with what comes and goes in it, which matters only if all goes.
    if isLater(status), all || !status.isDirectory { return [] }
    guard all, status.isDirectory else { return nil }
    var descent = DirectoryDescent(from: directory)
    try descent.enter(name.span)
    // From `name` down to where this is: what is left to look at there, the next last, and the name of the one below.
    var levels = [(names: [[UInt8]](try FileCalls.names(descent.current).reversed()), inner: [UInt8]())]
    while let level = levels.indices.last {
      guard let child = levels[level].names.popLast() else {
        levels.removeLast()
        try descent.leave()
        continue
      }
      levels[level].inner = child
      let terminated = child + [0]
      let status = try FileCalls.status(descent.current, terminated.span)
      if isLater(status) { return levels.reduce([]) { $0 + [Self.slash] + $1.inner } }
      if status.isDirectory {
        try descent.enter(terminated.span)
        levels.append((try FileCalls.names(descent.current).reversed(), []))
      }
    }
    return nil
  }

  private func isLater(_ status: FileStatus) -> Bool {
    (status.changed.seconds, status.changed.nanoseconds) > (baseline.seconds, baseline.nanoseconds)
  }

  // MARK: Changing

  private func attempt(
    _ operation: ChangesError.Operation, _ item: ChangeSet.Item, _ body: () throws(Errno) -> Void
  ) throws(ChangesError) {
    do { try body() } catch { throw .system(operation, path: item.change.path, error) }
  }

  private func apply(_ item: ChangeSet.Item, at place: TreeView.Origin) throws(ChangesError) {
    guard let entry = item.entry else {
      return try attempt(.remove, item) { () throws(Errno) in
        let target = try Target(place)
        try DirectoryRemoval.remove(target.directory.raw, target.name, isForced: false)
      }
    }
    if item.change.parts.contains(.kind) {
      try attempt(.remove, item) { () throws(Errno) in
        let target = try Target(place)
        try DirectoryRemoval.remove(target.directory.raw, target.name, isForced: false)
      }
    }
    let isNew = item.change.kind == .added || item.change.parts.contains(.kind)
    try attempt(isNew ? .make : .change, item) { () throws(Errno) in
      let target = try Target(place)
      let isMetadataOnly = !isNew && item.change.parts.isDisjoint(with: .content)
      switch entry.kind {
      case .directory:
        if isNew { try FileCalls.makeDirectory(target.directory.raw, target.name.span, mode: 0o700) }
        let directory = try target.pinned(.directory)
        try setMetadata(entry, item.change, directory.raw, isNew: isNew)
      case _ where isMetadataOnly:
        let file = try target.pinned(entry.fileKind)
        let itself = FileCalls.itself
        try setMetadata(entry, item.change, file.raw, isNew: false)
        if entry.fileKind != .symlink { try FileCalls.changeMode(file.raw, itself.span, entry.mode & 0o1777) }
      default:
        let made = try make(entry, item, target)
        try replace(entry, item, target, by: made, isNew: isNew)
      }
    }
  }

  /// Makes what is to take a name beside it, under a name that the next attempt removes.
  private func make(
    _ entry: PackEntry, _ item: ChangeSet.Item, _ target: borrowing Target
  ) throws(Errno) -> FileDescriptor {
    let directory = target.directory.raw
    try? FileCalls.remove(directory, Self.temporary.span, isDirectory: false)
    switch entry.kind {
    case .symlink(let link): try FileCalls.makeSymlink(directory, Self.temporary.span, target: link + [0])
    case .fifo: try FileCalls.makeNode(directory, Self.temporary.span, mode: FileType.fifo | 0o600, major: 0, minor: 0)
    default:
      let source = try item.written.open(entry.path)
      let file = try FileCalls.openBeneath(
        directory, Self.temporary.span, OpenFlags.createExclusively, mode: 0o600)
      try FileData.copy(source.raw, to: file.raw, length: item.change.size ?? 0)
      return file
    }
    return try Target.pinned(directory, Self.temporary, entry.fileKind)
  }

  private func replace(
    _ entry: PackEntry, _ item: ChangeSet.Item, _ target: borrowing Target, by made: borrowing FileDescriptor,
    isNew: Bool
  ) throws(Errno) {
    let (directory, itself) = (target.directory.raw, FileCalls.itself)
    do throws(Errno) {
      if !isNew {
        // What novm does not know of stays as it was.
        let was = try FileCalls.status(directory, target.name.span)
        if geteuid() == 0 { try FileCalls.changeOwner(made.raw, itself.span, uid: was.uid, gid: was.gid) }
        if entry.fileKind == .file, let list = try FileCalls.attribute(directory, target.name.span, Self.accessList) {
          try? FileCalls.setAttribute(made.raw, itself.span, Self.accessList, list)
        }
      }
      try setMetadata(entry, item.change, made.raw, isNew: true, keepsOwner: !isNew)
      if entry.fileKind != .symlink { try FileCalls.changeMode(made.raw, itself.span, entry.mode & 0o1777) }
      try FileCalls.changeTimes(made.raw, accessed: .keep, modified: .set(entry.modified))
      try FileCalls.rename(
        directory, Self.temporary.span, to: directory, target.name.span, isNew ? .noReplace : [])
    } catch {
      try? FileCalls.remove(directory, Self.temporary.span, isDirectory: false)
      throw error
    }
  }

  /// - Parameter file: open on it, for whatever.
  private func setMetadata(
    _ entry: PackEntry, _ change: Change, _ file: Int32, isNew: Bool, keepsOwner: Bool = false
  ) throws(Errno) {
    let itself = FileCalls.itself
    if geteuid() == 0, change.parts.contains(.owner) || isNew && !keepsOwner {
      try FileCalls.changeOwner(file, itself.span, uid: entry.uid, gid: entry.gid)
    }
    guard entry.fileKind != .symlink, isNew || change.parts.contains(.attributes) else { return }
    let wanted = entry.attributes.filter { $0.name.starts(with: Self.userAttribute) }
    if !isNew {
      for attribute in try FileCalls.attributeNames(file).split(separator: 0) {
        guard attribute.starts(with: Self.userAttribute), TreeMetadata.isKept(Array(attribute)),
          !wanted.contains(where: { $0.name.elementsEqual(attribute) })
        else { continue }
        try FileCalls.removeAttribute(file, itself.span, Array(attribute) + [0])
      }
    }
    for attribute in wanted {
      try FileCalls.setAttribute(file, itself.span, attribute.name + [0], attribute.value)
    }
  }

  private static func split(_ path: [UInt8]) -> (parent: [UInt8], name: [UInt8]) {
    let at = path.lastIndex(of: slash) ?? 0
    return (at == 0 ? [slash] : Array(path[..<at]), Array(path[(at + 1)...]))
  }

  private static func inside(_ origin: TreeView.Origin, _ name: [UInt8]) -> TreeView.Origin {
    TreeView.Origin(map: origin.map, path: origin.path.isEmpty ? name : origin.path + [slash] + name)
  }

  private static let slash = UInt8(ascii: "/")
  private static let temporary = [UInt8](".novm-apply".utf8) + [0]
  private static let accessList = [UInt8]("system.posix_acl_access".utf8) + [0]
  private static let userAttribute = [UInt8]("user.".utf8)
}

/// A name in an open directory of the host, reached from the layer's root with no symbolic link followed.
private struct Target: ~Copyable {
  let directory: FileDescriptor
  /// With its NUL; that alone for the layer's root itself.
  let name: [UInt8]

  init(_ place: TreeView.Origin) throws(Errno) {
    let root = try FileDescriptor.open(place.map.hostPath, OpenFlags.directoryPath)
    guard let slash = place.path.lastIndex(of: UInt8(ascii: "/")) else {
      directory = root
      name = place.path + [0]
      return
    }
    let parent = place.path[..<slash] + [0]
    directory = try FileCalls.openBeneath(root.raw, parent.span, OpenFlags.directoryPath)
    name = place.path[(slash + 1)...] + [0]
  }

  /// What has the name, by a descriptor of its own: what somebody else puts under the name is not changed in its place.
  ///
  /// - Throws: `stale` for anything of another kind.
  func pinned(_ kind: Change.FileKind) throws(Errno) -> FileDescriptor {
    try Self.pinned(directory.raw, name.count > 1 ? name : [UInt8(ascii: "."), 0], kind)
  }

  static func pinned(_ directory: Int32, _ name: [UInt8], _ kind: Change.FileKind) throws(Errno) -> FileDescriptor {
    let file = try FileCalls.openBeneath(directory, name.span, OpenFlags.path)
    guard Change.FileKind(mode: try FileCalls.status(file.raw).mode) == kind else { throw .stale }
    return file
  }

  func status() throws(Errno) -> FileStatus? {
    do throws(Errno) {
      return try FileCalls.status(directory.raw, name.span)
    } catch {
      if error == .notFound { return nil }
      throw error
    }
  }
}

import Host

/// Copies what a machine wrote, as it lies: a write map's directory, in overlayfs's form (docs/decisions/0004).
///
/// Kinds, owners, modes, times, attributes, holes and names of one file are the original's; data are shared where the file system can
/// (FICLONE), else copied. Flags of chattr(1) are not. Nobody writes to either tree meanwhile, and the original's names, modes and links
/// are a guest's: no link is followed.
package struct TreeCopy: ~Copyable {
  /// Directories in one another that are gone into, each by two descriptors.
  package static let depthLimit = 200

  /// By the inode number that a file, directory or link has in the original, that of its copy.
  package private(set) var moved: [UInt64: UInt64] = [:]

  private let names: FileDescriptor
  /// What in the original's root is nobody's, with its NUL.
  private let excluded: Set<[UInt8]>
  private var named: Set<UInt64> = []

  /// - Parameters:
  ///   - names: an empty directory on the copy's file system, where files that have several names have one more for a while.
  ///   - excluded: names in the root that are not copied, with their NUL.
  package init(names: consuming FileDescriptor, excluding excluded: Set<[UInt8]> = []) {
    self.names = names
    self.excluded = excluded
  }

  /// - Parameters:
  ///   - from: a directory that can be listed.
  ///   - to: an empty one.
  /// - Throws: `ELOOP` for directories deeper than `depthLimit`.
  package mutating func run(from: borrowing FileDescriptor, to: borrowing FileDescriptor) throws(Errno) {
    try copyContents(from.raw, to.raw, depth: 0)
    let itself = FileCalls.itself
    let status = try FileCalls.status(from.raw)
    moved[status.inode] = try FileCalls.status(to.raw).inode
    try copyAttributes(from.raw, itself.span, to.raw, itself.span, status)
    try DirectoryRemoval.removeContents(of: names.raw, isForced: true)
  }

  private mutating func copyContents(_ from: Int32, _ to: Int32, depth: Int) throws(Errno) {
    guard depth < Self.depthLimit else { throw .tooManySymlinks }
    for bytes in try FileCalls.names(from) {
      let name = bytes + [0]
      if depth == 0, excluded.contains(name) { continue }
      try copy(from, to, name, depth: depth)
    }
  }

  private mutating func copy(_ from: Int32, _ to: Int32, _ name: [UInt8], depth: Int) throws(Errno) {
    let status = try FileCalls.status(from, name.span)
    if status.isWhiteout { return try FileCalls.makeWhiteout(to, name.span) }
    let hasNames = !status.isDirectory && status.links > 1
    let other = Self.name(of: status.inode)
    if hasNames, named.contains(status.inode) { return try FileCalls.link(names.raw, other.span, to: to, name.span) }
    if status.isDirectory {
      try FileCalls.makeDirectory(to, name.span, mode: 0o700)
      let source = try FileCalls.openBeneath(from, name.span, OpenFlags.directory)
      let target = try FileCalls.openBeneath(to, name.span, OpenFlags.directory)
      try copyContents(source.raw, target.raw, depth: depth + 1)
    } else if status.isSymlink {
      try FileCalls.makeSymlink(to, name.span, target: try FileCalls.readLink(from, name.span) + [0])
    } else if status.isRegular {
      let source = try FileCalls.openRegular(from, name.span, OpenFlags.read)
      let target = try FileCalls.openBeneath(to, name.span, OpenFlags.createExclusively, mode: 0o600)
      guard try FileCalls.copyData(source.raw, to: target.raw, length: status.length) else { throw .stale }
    } else {
      try FileCalls.makeNode(
        to, name.span, mode: status.mode & FileType.mask | 0o600, major: status.specialMajor,
        minor: status.specialMinor)
    }
    try copyAttributes(from, name.span, to, name.span, status)
    moved[status.inode] = try FileCalls.status(to, name.span).inode
    if hasNames {
      try FileCalls.link(to, name.span, to: names.raw, other.span)
      named.insert(status.inode)
    }
  }

  private static func name(of inode: UInt64) -> [UInt8] { Array(String(inode).utf8) + [0] }

  /// What changes the rest comes first: a new owner takes capabilities and set-id bits away, a change of either tree times.
  private func copyAttributes(
    _ from: Int32, _ name: Span<UInt8>, _ to: Int32, _ newName: Span<UInt8>, _ status: FileStatus
  ) throws(Errno) {
    let made = try FileCalls.status(to, newName)
    if (made.uid, made.gid) != (status.uid, status.gid) {
      try FileCalls.changeOwner(to, newName, uid: status.uid, gid: status.gid)
    }
    for attribute in try FileCalls.attributeNames(from, name).split(separator: 0) {
      let attribute = Array(attribute) + [0]
      guard let value = try FileCalls.attribute(from, name, attribute) else { continue }
      do throws(Errno) { try FileCalls.setAttribute(to, newName, attribute, value) } catch {
        // A label that the copy has from its own place.
        guard attribute.starts(with: "security.selinux".utf8) else { throw error }
      }
    }
    if !status.isSymlink { try FileCalls.changeMode(to, newName, status.mode & 0o7777) }
    try FileCalls.changeTimes(to, newName, accessed: .set(status.accessed), modified: .set(status.modified))
  }
}

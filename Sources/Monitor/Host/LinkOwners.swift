import CLinux
import Glibc

/// Whom a directory's symlinks belong to, where owners are recorded: a symlink can have no attribute of a user's (xattr(7)), so its
/// directory has one for all of them. What is not in it is root's.
///
/// The value is, for each owner, `UID GID COUNT` (32, 32 and 16 bits, little-endian), and for each of its links the length of the name
/// (8 bits), the name, and a sum of the target (32 bits): a link that something else has put in the place of another is root's.
package struct LinkOwners: Equatable, Sendable {
  package struct Owner: Hashable, Sendable {
    package var uid: UInt32
    package var gid: UInt32

    package init(uid: UInt32, gid: UInt32) {
      self.uid = uid
      self.gid = gid
    }

    package static let root = Owner(uid: 0, gid: 0)
  }

  private struct Link: Equatable, Sendable {
    var owner: Owner
    var sum: UInt32
  }

  /// By name, without a NUL.
  private var links: [[UInt8]: Link] = [:]

  package init() {}

  /// - Returns: nil for bytes of another form.
  package init?(parsing bytes: [UInt8]) {
    var rest = bytes[...]
    func number(_ count: Int) -> UInt32? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    while !rest.isEmpty {
      guard let uid = number(4), let gid = number(4), let count = number(2) else { return nil }
      for _ in 0..<count {
        guard let length = number(1), length > 0, rest.count >= Int(length) else { return nil }
        let name = [UInt8](rest.prefix(Int(length)))
        rest = rest.dropFirst(Int(length))
        guard let sum = number(4) else { return nil }
        links[name] = Link(owner: Owner(uid: uid, gid: gid), sum: sum)
      }
    }
  }

  package var bytes: [UInt8] {
    var bytes: [UInt8] = []
    func put(_ value: UInt32, _ count: Int) {
      for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index))) }
    }
    let byOwner = Dictionary(grouping: links) { $0.value.owner }
    for (owner, links) in byOwner.sorted(by: { ($0.key.uid, $0.key.gid) < ($1.key.uid, $1.key.gid) }) {
      put(owner.uid, 4)
      put(owner.gid, 4)
      put(UInt32(links.count), 2)
      for (name, link) in links.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
        put(UInt32(name.count), 1)
        bytes += name
        put(link.sum, 4)
      }
    }
    return bytes
  }

  package var isEmpty: Bool { links.isEmpty }

  package func owner(of name: [UInt8], target: [UInt8]) -> Owner? {
    guard let link = links[name], link.sum == LinkOwners.sum(target) else { return nil }
    return link.owner
  }

  package mutating func set(_ name: [UInt8], target: [UInt8], _ owner: Owner) {
    links[name] = Link(owner: owner, sum: LinkOwners.sum(target))
  }

  /// Whether there was one.
  package mutating func remove(_ name: [UInt8]) -> Bool { links.removeValue(forKey: name) != nil }

  /// FNV-1a.
  private static func sum(_ target: [UInt8]) -> UInt32 {
    target.reduce(0x811c_9dc5) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
  }
}

extension FileCalls {
  /// Whom a symlink is recorded to belong to; nil where nothing says so.
  ///
  /// - Parameter name: with its NUL.
  package static func linkOwner(_ directory: Int32, _ name: Span<UInt8>) -> LinkOwners.Owner? {
    guard name.count > 1, let owners = try? linkOwners(directory), !owners.isEmpty,
      let target = try? readLink(directory, name)
    else { return nil }
    return owners.owner(of: [UInt8](withoutNUL: name), target: target)
  }

  /// Records whom a symlink belongs to.
  ///
  /// - Parameters:
  ///   - target: where it leads, if it is not there yet.
  ///   - isShared: whether another process may record something in the directory meanwhile.
  package static func setLinkOwner(
    _ directory: Int32, _ name: Span<UInt8>, _ owner: LinkOwners.Owner, target: [UInt8]? = nil, isShared: Bool = true
  ) throws(Errno) {
    guard name.count > 1 else { return }
    let target = if let target { target } else { try readLink(directory, name) }
    let name = [UInt8](withoutNUL: name)
    try changeLinkOwners(directory, isShared) { owners in
      if owner == .root { return owners.remove(name) }
      if owners.owner(of: name, target: target) == owner { return false }
      owners.set(name, target: target, owner)
      return true
    }
  }

  /// Forgets what was recorded of a name.
  package static func removeLinkOwner(_ directory: Int32, _ name: Span<UInt8>, isShared: Bool = true) {
    guard name.count > 1 else { return }
    let name = [UInt8](withoutNUL: name)
    try? changeLinkOwners(directory, isShared) { $0.remove(name) }
  }

  /// Reads the record, and writes it if `change` says that it is another now. One that cannot be read is not replaced.
  private static func changeLinkOwners(
    _ directory: Int32, _ isShared: Bool, _ change: (inout LinkOwners) -> Bool
  ) throws(Errno) {
    // Most directories have none, and nothing to be taken from it.
    var owners = LinkOwners()
    if try linkOwners(directory).isEmpty, !change(&owners) { return }
    let lock = isShared ? lockForRecords(directory) : FileDescriptor(owning: -1)
    defer { _ = lock.raw }
    owners = try linkOwners(directory)
    if change(&owners) { try store(owners, directory) }
  }

  /// Keeps other machines that have the directory from changing what is recorded in it, until the descriptor is closed. Who holds
  /// it for longer than a moment is not waited for: any user who can read the directory may lock it.
  private static func lockForRecords(_ directory: Int32) -> FileDescriptor {
    // Opened anew: what is locked is the open file, and others have this one.
    let dot: [UInt8] = [UInt8(ascii: "."), 0]
    guard let opened = try? openBeneath(directory, dot.span, OpenFlags.directory) else {
      return FileDescriptor(owning: -1)
    }
    for _ in 0..<20 {
      if flock(opened.raw, LOCK_EX | LOCK_NB) == 0 || Errno.current != Errno(EWOULDBLOCK) { break }
      usleep(1000)
    }
    return opened
  }

  /// What a directory has recorded; nothing, if it is of another form.
  private static func linkOwners(_ directory: Int32) throws(Errno) -> LinkOwners {
    let itself = itself
    guard let bytes = try attribute(directory, itself.span, MarkName.overrideLinks) else { return LinkOwners() }
    return LinkOwners(parsing: bytes) ?? LinkOwners()
  }

  private static func store(_ owners: LinkOwners, _ directory: Int32) throws(Errno) {
    let itself = itself
    if owners.isEmpty { return try removeAttribute(directory, itself.span, MarkName.overrideLinks) }
    let bytes = owners.bytes
    guard bytes.count <= 0xffff else { throw .noSpace }
    try setAttribute(directory, itself.span, MarkName.overrideLinks, bytes)
  }
}

extension [UInt8] {
  fileprivate init(withoutNUL name: Span<UInt8>) {
    self = []
    for index in 0..<(name.count - 1) { append(name[index]) }
  }
}

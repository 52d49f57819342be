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
    guard name.count > 1, let owners = linkOwners(directory), let target = try? readLink(directory, name) else {
      return nil
    }
    return owners.owner(of: [UInt8](withoutNUL: name), target: target)
  }

  /// Records whom a symlink belongs to. One at a time for a directory.
  package static func setLinkOwner(_ directory: Int32, _ name: Span<UInt8>, _ owner: LinkOwners.Owner) throws(Errno) {
    guard name.count > 1 else { return }
    var owners = linkOwners(directory) ?? LinkOwners()
    let target = try readLink(directory, name)
    let name = [UInt8](withoutNUL: name)
    if owner == .root {
      if !owners.remove(name) { return }
    } else {
      if owners.owner(of: name, target: target) == owner { return }
      owners.set(name, target: target, owner)
    }
    try store(owners, directory)
  }

  /// Forgets what was recorded of a name.
  package static func removeLinkOwner(_ directory: Int32, _ name: Span<UInt8>) {
    guard name.count > 1, var owners = linkOwners(directory), owners.remove([UInt8](withoutNUL: name)) else { return }
    try? store(owners, directory)
  }

  private static func linkOwners(_ directory: Int32) -> LinkOwners? {
    let itself = itself
    guard hasAttribute(directory, itself.span, MarkName.overrideLinks),
      let bytes = try? attribute(directory, itself.span, MarkName.overrideLinks)
    else { return nil }
    return LinkOwners(parsing: bytes)
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

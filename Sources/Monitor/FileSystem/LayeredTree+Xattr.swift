import Host

/// Names of extended attributes that mean something to the tree.
enum AttributeName {
  static let capability = [UInt8]("security.capability".utf8)
  static let user = [UInt8]("user.".utf8)
  static let security = [UInt8]("security.".utf8)
  static let trusted = [UInt8]("trusted.".utf8)
  static let system = [UInt8]("system.".utf8)
  /// All that there are (xattr(7)).
  static let namespaces = [user, security, trusted, system]
  static let accessACL = [UInt8]("system.posix_acl_access".utf8)
  static let defaultACL = [UInt8]("system.posix_acl_default".utf8)
}

extension LayeredTree {
  /// Whether an attribute is one of the tree's own marks. Those of overlayfs mean nothing in a share: there they are the
  /// guest's, for a container store say.
  func isMark(_ name: [UInt8], inShare: Bool = false) -> Bool {
    if name.starts(with: MarkName.overridePrefix) { return true }
    return !inShare && (name.starts(with: MarkName.trustedOverlay) || name.starts(with: MarkName.userOverlay))
  }

  /// Under which name, with its NUL, a write map keeps an attribute of the guest; nil for one it cannot have.
  ///
  /// Without root, and in packs, `security.*` and `trusted.*` become `user.containers.override_security.*` and so on; without
  /// root so do access lists.
  func keptName(_ name: [UInt8], isPack: Bool = false, inShare: Bool = false) -> [UInt8]? {
    if isMark(name, inShare: inShare) { return nil }
    if name.starts(with: AttributeName.user) { return name + [0] }
    if name.starts(with: AttributeName.security) || name.starts(with: AttributeName.trusted) {
      return ownership == .real && !isPack ? name + [0] : MarkName.overridePrefix + name + [0]
    }
    if name == AttributeName.accessACL || name == AttributeName.defaultACL {
      guard keepsAccessLists, !isPack else { return nil }
      return ownership == .real ? name + [0] : MarkName.overridePrefix + name + [0]
    }
    return nil
  }

  /// The value of an attribute; `noData` when there is none.
  func attribute(_ node: Node, _ name: [UInt8]) throws(Errno) -> [UInt8] {
    guard let kept = try attributeNameToUse(node, name) else { throw .noData }
    let place = try namespace.withReadLock { () throws(Errno) -> Place in try self.place(of: node) }
    guard let value = try FileCalls.attribute(place.base.raw, place.name.span, kept) else { throw .noData }
    return value
  }

  private func attributeNameToUse(_ node: Node, _ name: [UInt8]) throws(Errno) -> [UInt8]? {
    if name.isEmpty { throw .outOfRange }
    guard hasNamespace(name) else { throw .notSupported }
    let (isSynthetic, isKept, isPack, inShare) = namespace.withReadLock {
      (node.isSynthetic, keepsOwners(node), isInPack(node), isInShare(node))
    }
    if isSynthetic || isMark(name, inShare: inShare) { return nil }
    // One that there cannot be is not there: an error would make Linux refuse the file where it looks for access lists.
    if isKept { return keptName(name, isPack: isPack, inShare: inShare) }
    return name + [0]
  }

  /// Whether there can be such an attribute anywhere.
  private func hasNamespace(_ name: [UInt8]) -> Bool {
    AttributeName.namespaces.contains { name.starts(with: $0) }
  }

  /// Whether a node lies where the tree keeps owners and privileged attributes in its own way.
  func keepsOwners(_ node: Node) -> Bool {
    (node.isDirectory ? node.topPart?.layer : node.layer)?.keepsOwners == true
  }

  /// Whether what the guest sees of a node is a pack's.
  func isInPack(_ node: Node) -> Bool {
    (node.isDirectory ? node.topPart?.layer : node.layer)?.isPack == true
  }

  func isInShare(_ node: Node) -> Bool {
    (node.isDirectory ? node.topPart?.layer : node.layer)?.isShare == true
  }

  /// The names of all attributes that the guest may see, each with its NUL.
  ///
  /// - Parameter isRoot: `trusted.*` is for who has CAP_SYS_ADMIN (xattr(7)), which is taken for root's.
  func attributeNames(_ node: Node, isRoot: Bool = true) throws(Errno) -> [UInt8] {
    if namespace.withReadLock({ node.isSynthetic }) { return [] }
    let (place, isRecorded, inShare) = try namespace.withReadLock { () throws(Errno) -> (Place, Bool, Bool) in
      (try self.place(of: node), keepsOwners(node) && ownership == .recorded || isInPack(node), isInShare(node))
    }
    let list = try FileCalls.attributeNames(place.base.raw, place.name.span)
    if list.isEmpty { return [] }
    var names: [UInt8] = []
    for kept in list.split(separator: 0) {
      var name = kept
      if isRecorded, name.starts(with: MarkName.overridePrefix) {
        name = name.dropFirst(MarkName.overridePrefix.count)
        guard !name.starts(with: AttributeName.user), hasNamespace([UInt8](name)) else { continue }
      } else if isMark([UInt8](name), inShare: inShare) {
        continue
      }
      if !isRoot, name.starts(with: AttributeName.trusted) { continue }
      names += name
      names.append(0)
    }
    return names
  }

  /// Sets an attribute. No lock is held.
  func setAttribute(
    _ node: Node, _ name: [UInt8], _ value: [UInt8], flags: UInt32, killSetgid: Bool = false
  ) throws(Errno) {
    let inShare = namespace.withReadLock { isInShare(node) }
    if isMark(name, inShare: inShare) { throw .notPermitted }
    guard let kept = keptName(name, inShare: inShare) else { throw .notSupported }
    try copyUp(node)
    try namespace.withReadLock { () throws(Errno) in
      let place = try pinned(node)
      if ownership == .recorded {
        let host = try FileCalls.status(place.base.raw, place.name.span)
        // What stands for a special file is one to the guest, which has no user attributes there.
        guard host.isRegular || host.isDirectory else { throw .notPermitted }
        if name == AttributeName.accessACL || name == AttributeName.defaultACL {
          return try setAccessList(
            place, host, isDefault: name == AttributeName.defaultACL, value, killSetgid: killSetgid)
        }
      }
      try FileCalls.setAttribute(
        place.base.raw, place.name.span, kept, value, flags: Int32(bitPattern: flags))
      // The next write opens it again, and takes them away.
      if name == AttributeName.capability { files.drop(node) }
      if killSetgid {
        let host = try FileCalls.status(place.base.raw, place.name.span)
        if host.mode & 0o2000 != 0, !host.isSymlink {
          try FileCalls.changeMode(place.base.raw, place.name.span, host.mode & 0o5777)
        }
      }
    }
  }

  /// Removes an attribute. No lock is held.
  func removeAttribute(_ node: Node, _ name: [UInt8]) throws(Errno) {
    let inShare = namespace.withReadLock { isInShare(node) }
    if isMark(name, inShare: inShare) { throw .notPermitted }
    // What is not there is not worth a copy.
    _ = try attribute(node, name)
    guard let kept = keptName(name, inShare: inShare) else { throw .notSupported }
    try copyUp(node)
    try namespace.withReadLock { () throws(Errno) in
      let place = try pinned(node)
      try FileCalls.removeAttribute(place.base.raw, place.name.span, kept)
    }
  }
}

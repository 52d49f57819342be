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
  /// Whether an attribute is one of the tree's own marks, and nobody else's.
  func isMark(_ name: [UInt8]) -> Bool {
    name.starts(with: MarkName.overridePrefix) || name.starts(with: MarkName.trustedNovm)
  }

  /// Under which name an attribute of an overlayfs in the guest is kept where our own have such names; nil for any other. It is
  /// how overlayfs keeps those of one above it (Documentation/filesystems/overlayfs.rst, "Nesting overlayfs mounts").
  private func escaped(_ name: [UInt8]) -> [UInt8]? {
    for prefix in [MarkName.trustedOverlay, MarkName.userOverlay] where name.starts(with: prefix) {
      return prefix + MarkName.overlay + name.dropFirst(prefix.count)
    }
    return nil
  }

  /// The other way round; nil for a mark of ours.
  private func unescaped(_ kept: [UInt8]) -> [UInt8]? {
    for prefix in [MarkName.trustedOverlay, MarkName.userOverlay] where kept.starts(with: prefix + MarkName.overlay) {
      return prefix + kept.dropFirst(prefix.count + MarkName.overlay.count)
    }
    return nil
  }

  private func isOverlayfs(_ name: [UInt8]) -> Bool {
    name.starts(with: MarkName.trustedOverlay) || name.starts(with: MarkName.userOverlay)
  }

  /// Under which names, each with its NUL, a layer may keep an attribute of the guest, and the first of them where one is set that
  /// is no `security.*`; none for one that it cannot have.
  ///
  /// Without root, and in packs, `security.*` and `trusted.*` become `user.containers.override_security.*` and so on; without
  /// root so do access lists. As root `security.*` may be recorded as `trusted.novm.security.*`. In read layers both the record and
  /// what the host has count.
  ///
  /// - Parameter layer: nil for a write map or share.
  func keptNames(_ name: [UInt8], in layer: Layer? = nil) -> [[UInt8]] {
    if isMark(name) { return [] }
    // In a share they mean nothing, and without root privileged ones are recorded as others are.
    if let escaped = escaped(name), layer?.isShare != true,
      ownership == .real || name.starts(with: MarkName.userOverlay) || layer?.isRead == true
    {
      return layer?.isPack == true ? [] : [escaped + [0]]
    }
    if name.starts(with: AttributeName.user) { return [name + [0]] }
    let isPack = layer?.isPack == true
    let isRead = layer?.isRead == true && !isPack
    let record = MarkName.overridePrefix + name + [0]
    if name.starts(with: AttributeName.security) || name.starts(with: AttributeName.trusted) {
      if isPack { return [record] }
      if ownership == .recorded { return isRead ? [record, name + [0]] : [record] }
      guard name.starts(with: AttributeName.security) else { return [name + [0]] }
      let privileged = MarkName.trustedNovm + name + [0]
      // A label of the host's is there, whatever the guest says of the file.
      return name == AttributeName.capability ? [name + [0], privileged] : [privileged, name + [0]]
    }
    guard name == AttributeName.accessACL || name == AttributeName.defaultACL else {
      return isRead ? [name + [0]] : []
    }
    if isPack { return [] }
    if isRead { return ownership == .recorded ? [record, name + [0]] : [name + [0]] }
    guard keepsAccessLists else { return [] }
    return ownership == .real ? [name + [0]] : [record]
  }

  /// Under which name, with its NUL, an attribute is kept that the guest sets in a write map or share; nil for one that it cannot
  /// have.
  func nameToSet(_ name: [UInt8], in layer: Layer) -> [UInt8]? {
    guard let kept = keptNames(name, in: layer).first else { return nil }
    guard ownership == .real, name.starts(with: AttributeName.security) else { return kept }
    return keepsRealCapabilities(layer) ? name + [0] : MarkName.trustedNovm + name + [0]
  }

  /// Whether capabilities and labels in a layer are the host's, too.
  func keepsRealCapabilities(_ layer: Layer?) -> Bool {
    ownership == .real && layer?.privileges.contains(.suid) == true
  }

  /// What the guest sees an attribute of the host's as; nil for one that it does not.
  func shownName(_ kept: [UInt8], in layer: Layer?, _ place: Place) -> [UInt8]? {
    if kept.starts(with: MarkName.overridePrefix), ownership == .recorded || layer?.isPack == true {
      let name = [UInt8](kept.dropFirst(MarkName.overridePrefix.count))
      guard !name.starts(with: AttributeName.user), hasNamespace(name), mayRecord(place, in: layer) else { return nil }
      return name
    }
    if ownership == .real, layer?.isPack != true, kept.starts(with: MarkName.trustedNovm + AttributeName.security) {
      return [UInt8](kept.dropFirst(MarkName.trustedNovm.count))
    }
    if isMark(kept) { return nil }
    guard isOverlayfs(kept), layer?.isShare != true else { return kept }
    return layer?.isPack == true ? nil : unescaped(kept)
  }

  /// Whether what stands beside a file is a record of ours: not beside what others have there.
  private func mayRecord(_ place: Place, in layer: Layer?) -> Bool {
    if layer?.isPack == true { return true }
    return (try? FileCalls.status(place.base.raw, place.name.span).uid) == user
  }

  /// The value of an attribute; `noData` when there is none.
  func attribute(_ node: Node, _ name: [UInt8]) throws(Errno) -> [UInt8] {
    if name.isEmpty { throw .outOfRange }
    guard hasNamespace(name) else { throw .notSupported }
    // One that there cannot be is not there: an error would make Linux refuse the file where it looks for access lists.
    if isMark(name) || namespace.withReadLock({ node.isSynthetic }) { throw .noData }
    let (place, layer) = try namespace.withReadLock { () throws(Errno) -> (Place, Layer?) in
      (try self.place(of: node), node.topLayer)
    }
    let value = try withSeal(node) { () throws(Errno) in try attribute(at: place, name, in: layer) }
    guard let value else { throw .noData }
    return value
  }

  /// The value that the guest sees; nil when there is none.
  func attribute(at place: Place, _ name: [UInt8], in layer: Layer?) throws(Errno) -> [UInt8]? {
    for kept in keptNames(name, in: layer) {
      guard let value = try FileCalls.attribute(place.base.raw, place.name.span, kept) else { continue }
      if kept == MarkName.capability, value == FileCalls.seal { continue }
      if kept == MarkName.privilegedCapability, !FileCalls.isSealed(place.base.raw, place.name.span) { continue }
      if !kept.starts(with: MarkName.overridePrefix) || mayRecord(place, in: layer) { return value }
    }
    return nil
  }

  /// Whether there can be such an attribute anywhere.
  private func hasNamespace(_ name: [UInt8]) -> Bool {
    AttributeName.namespaces.contains { name.starts(with: $0) }
  }

  /// The names of all attributes that the guest may see, each with its NUL.
  ///
  /// - Parameter isRoot: `trusted.*` is for who has CAP_SYS_ADMIN (xattr(7)), which is taken for root's.
  func attributeNames(_ node: Node, isRoot: Bool = true) throws(Errno) -> [UInt8] {
    if namespace.withReadLock({ node.isSynthetic }) { return [] }
    let (place, layer) = try namespace.withReadLock { () throws(Errno) -> (Place, Layer?) in
      (try self.place(of: node), node.topLayer)
    }
    let list = try FileCalls.attributeNames(place.base.raw, place.name.span)
    if list.isEmpty { return [] }
    var seen: Set<[UInt8]> = []
    var names: [UInt8] = []
    for kept in list.split(separator: 0) {
      guard let name = shownName([UInt8](kept), in: layer, place), seen.insert(name).inserted else { continue }
      if !isRoot, name.starts(with: AttributeName.trusted) { continue }
      // It may be a seal, or one that is broken.
      if name == AttributeName.capability,
        try withSeal(node, { () throws(Errno) in try attribute(at: place, name, in: layer) }) == nil
      {
        continue
      }
      names += name
      names.append(0)
    }
    return names
  }

  /// Sets an attribute. No lock is held.
  func setAttribute(
    _ node: Node, _ name: [UInt8], _ value: [UInt8], flags: UInt32, killSetgid: Bool = false
  ) throws(Errno) {
    if isMark(name) { throw .notPermitted }
    guard let layer = node.writeLayer else { throw .readOnly }
    guard let kept = nameToSet(name, in: layer) else { throw .notSupported }
    try copyUp(node)
    try namespace.withReadLock { () throws(Errno) in
      let place = try pinned(node)
      if ownership == .recorded {
        let host = try FileCalls.status(place.base.raw, place.name.span)
        // What stands for a special file is one to the guest, which has no user attributes there.
        guard host.isRegular || host.isDirectory else { throw .notPermitted }
        if name == AttributeName.accessACL || name == AttributeName.defaultACL {
          return try withRoom(node, place.base, count: UInt64(kept.count + value.count)) { () throws(Errno) in
            try setAccessList(
              place, in: layer, host, isDefault: name == AttributeName.defaultACL, value, killSetgid: killSetgid)
          }
        }
      }
      let isRecordedCapability = kept == MarkName.privilegedCapability
      if isRecordedCapability {
        try withSeal(node) { () throws(Errno) in try dropBrokenRecords(place, in: layer) }
      }
      try withRoom(node, place.base, count: UInt64(kept.count + value.count)) { () throws(Errno) in
        try FileCalls.setAttribute(
          place.base.raw, place.name.span, kept, value, flags: Int32(bitPattern: flags))
      }
      if name == AttributeName.capability || kept == name + [0] {
        for other in keptNames(name, in: layer) where other != kept {
          try? FileCalls.removeAttribute(place.base.raw, place.name.span, other)
        }
      }
      if name == AttributeName.capability {
        if isRecordedCapability { try seal(node, place) }
        // The next write opens it again, and takes them away.
        files.drop(node)
      }
      if killSetgid { try withSeal(node) { () throws(Errno) in try clearSetgid(place, in: layer) } }
    }
  }

  private func clearSetgid(_ place: Place, in layer: Layer) throws(Errno) {
    let host = try FileCalls.status(place.base.raw, place.name.span)
    var current = host
    decodeOwner(&current, place)
    guard current.mode & 0o2000 != 0, !host.isSymlink else { return }
    var wanted = OverrideStat(current)
    wanted.mode &= ~0o2000
    try setOwner(place, host: host, wanted: wanted, in: layer)
  }

  private func isLabelOfTheHost(_ kept: [UInt8], in layer: Layer) -> Bool {
    ownership == .real && kept.starts(with: AttributeName.security) && kept != MarkName.capability
      && !keepsRealCapabilities(layer)
  }

  /// Removes an attribute. No lock is held.
  func removeAttribute(_ node: Node, _ name: [UInt8]) throws(Errno) {
    if isMark(name) { throw .notPermitted }
    // What is not there is not worth a copy.
    _ = try attribute(node, name)
    guard let layer = node.writeLayer else { throw .readOnly }
    let kept = keptNames(name, in: layer)
    if kept.isEmpty { throw .notSupported }
    try copyUp(node)
    try namespace.withReadLock { () throws(Errno) in
      let place = try pinned(node)
      try withSeal(node) { () throws(Errno) in try removeAttributes(kept, place, in: layer) }
    }
  }

  /// Removes what an attribute of the guest's is kept under. There may be some under both names, and there is at least one.
  private func removeAttributes(_ kept: [[UInt8]], _ place: Place, in layer: Layer) throws(Errno) {
    var failure: Errno? = .noData
    let isSealed = FileCalls.isSealed(place.base.raw, place.name.span)
    for each in kept {
      if each == MarkName.capability, isSealed { continue }
      if isLabelOfTheHost(each, in: layer) {
        // A label that the guest did not make stays; it may have set another one over it.
        if failure != nil { failure = .notPermitted }
        continue
      }
      do throws(Errno) {
        try FileCalls.removeAttribute(place.base.raw, place.name.span, each)
        failure = nil
      } catch {
        if error != .noData { throw error }
      }
    }
    if let failure { throw failure }
  }
}

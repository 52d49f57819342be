import FUSE
import Host

/// Changing attributes.
extension LayeredTree {
  /// SETATTR. No lock is held.
  func setAttributes(_ node: Node, _ request: SetattrRequest) throws(Errno) -> FileStatus {
    let valid = request.valid
    let changes: SetattrRequest.Valid = [
      .mode, .uid, .gid, .size, .accessed, .modified, .accessedNow, .modifiedNow, .killPrivileges,
    ]
    if valid.isDisjoint(with: changes) { return try touchOwner(node) }
    if valid.contains(.size), node.isDirectory { throw .isDirectory }
    if valid.contains(.size), !node.isRegular { throw .invalid }
    try copyUp(node, withData: !(valid.contains(.size) && request.length == 0))
    let file = valid.contains(.size) ? try self.file(of: node, forWriting: true) : nil
    return try namespace.withReadLock { () throws(Errno) in
      let place = try pinned(node)
      let host = try FileCalls.status(place.base.raw)
      let changesOwner = !valid.isDisjoint(with: [.mode, .uid, .gid])
      let killPrivileges = !changesOwner && valid.contains(.killPrivileges)
      if changesOwner {
        try changeOwner(node, place, request)
      } else if killPrivileges, file == nil {
        try withSeal(node) { () throws(Errno) in try clearPrivileges(place, of: node) }
      }
      if let file {
        try withRoom(node, file, count: 0, killPrivileges: killPrivileges) { () throws(Errno) in
          try FileCalls.truncate(file.raw, to: request.length)
        }
        mapped?.resized(node, file)
      }
      if !valid.isDisjoint(with: [.accessed, .modified]) {
        do throws(Errno) {
          try FileCalls.changeTimes(
            place.base.raw, place.name.span,
            accessed: change(valid, .accessed, .accessedNow, request.accessed),
            modified: change(valid, .modified, .modifiedNow, request.modified))
        } catch {
          // An append-only file takes none but the host's own, and the guest's clock says when it was written to.
          guard error == .notPermitted, host.isAppendOnly, !valid.contains(.accessed) || valid.contains(.accessedNow)
          else {
            throw error
          }
          try FileCalls.changeTimes(place.base.raw, place.name.span, accessed: .now, modified: .now)
        }
        if valid.contains(.modified) { files.forgetTime(node) }
      }
      // Whom a symlink belongs to may be recorded under its name.
      return try node.isSymlink ? status(of: node) : status(of: node, open: place.base)
    }
  }

  /// chown(2) to nobody else, which comes without a field that says so: set-id bits go.
  private func touchOwner(_ node: Node) throws(Errno) -> FileStatus {
    let status = try namespace.withReadLock { () throws(Errno) in try self.status(of: node) }
    guard node.isRegular, LayeredTree.withoutPrivileges(status.mode) != status.mode else { return status }
    try copyUp(node)
    return try namespace.withReadLock { () throws(Errno) in
      let place = try pinned(node)
      try withSeal(node) { () throws(Errno) in try clearPrivileges(place, of: node) }
      return try self.status(of: node, open: place.base)
    }
  }

  private func change(
    _ valid: SetattrRequest.Valid, _ set: SetattrRequest.Valid, _ now: SetattrRequest.Valid, _ time: Timestamp
  ) -> TimeChange {
    if !valid.contains(set) { return .keep }
    if valid.contains(now) { return .now }
    return .set(FileTime(seconds: time.seconds, nanoseconds: min(time.nanoseconds, 999_999_999)))
  }

  private func changeOwner(_ node: Node, _ place: Place, _ request: SetattrRequest) throws(Errno) {
    let wanted = try withSeal(node) { () throws(Errno) in try changeOwnerAlone(node, place, request) }
    guard ownership == .recorded else { return }
    if node.isSymlink, let layer = node.writeLayer {
      for alias in node.aliases {
        let base = try descriptor(of: alias.parent, in: layer)
        try setLinkOwner(Place(base: base, name: alias.name), wanted, isNew: false)
      }
    }
    if request.valid.contains(.mode) { try changeAccessList(place, mode: wanted.mode) }
  }

  /// - Returns: whose it is now.
  private func changeOwnerAlone(
    _ node: Node, _ place: Place, _ request: SetattrRequest
  ) throws(Errno) -> OverrideStat {
    let host = try FileCalls.status(place.base.raw)
    // Whom a symlink belongs to is recorded by name.
    let named = node.isSymlink && ownership == .recorded ? try self.place(of: node) : place
    var current = host
    decodeOwner(&current, named)
    var wanted = OverrideStat(current)
    let changesOwner = !request.valid.isDisjoint(with: [.uid, .gid])
    if request.valid.contains(.uid) { wanted.uid = request.uid }
    if request.valid.contains(.gid) { wanted.gid = request.gid }
    if request.valid.contains(.mode) {
      wanted.mode = wanted.mode & FileType.mask | request.mode & 0o7777
    } else if changesOwner, !node.isDirectory {
      // A new owner does not inherit privileges (chown(2)).
      wanted.mode = LayeredTree.withoutPrivileges(wanted.mode)
    }
    guard let layer = node.writeLayer else { throw .readOnly }
    if wanted.mode & 0o6000 != 0 { node.maySeal() }
    try setOwner(named, host: host, wanted: wanted, in: layer)
    if changesOwner, node.isRegular { dropCapabilities(place) }
    return wanted
  }

  /// setuid always, setgid only where the group may execute: otherwise it means mandatory locking.
  static func withoutPrivileges(_ mode: UInt32) -> UInt32 {
    mode & 0o010 != 0 ? mode & ~0o6000 : mode & ~0o4000
  }

  /// Clears setuid, setgid and capabilities, as a write by somebody without CAP_FSETID does. To be called by
  /// `withSeal`.
  func clearPrivileges(_ place: Place, of node: Node) throws(Errno) {
    guard let layer = node.writeLayer else { throw .readOnly }
    let host = try FileCalls.status(place.base.raw, place.name.span)
    guard host.isRegular else { return }
    var current = host
    decodeOwner(&current, place)
    let mode = LayeredTree.withoutPrivileges(current.mode)
    if mode != current.mode {
      var wanted = OverrideStat(current)
      wanted.mode = mode
      try setOwner(place, host: host, wanted: wanted, in: layer)
    }
    dropCapabilities(place)
  }

  /// - Returns: whether the file is sealed.
  @discardableResult
  func dropCapabilities(_ place: Place) -> Bool {
    guard ownership == .real else {
      for kept in keptNames(AttributeName.capability) {
        try? FileCalls.removeAttribute(place.base.raw, place.name.span, kept)
      }
      return false
    }
    // Most files have neither. What is recorded of one that is not sealed is nothing.
    guard FileCalls.hasAttribute(place.base.raw, place.name.span, MarkName.capability) else { return false }
    let isSealed = FileCalls.isSealed(place.base.raw, place.name.span)
    try? FileCalls.removeAttribute(
      place.base.raw, place.name.span, isSealed ? MarkName.privilegedCapability : MarkName.capability)
    return isSealed
  }

  // MARK: The rest

  /// READLINK.
  func readLink(_ node: Node) throws(Errno) -> [UInt8] {
    guard node.isSymlink else { throw .invalid }
    return try namespace.withReadLock { () throws(Errno) -> [UInt8] in
      let place = try self.place(of: node)
      do throws(Errno) {
        return try FileCalls.readLink(place.base.raw, place.name.span)
      } catch {
        if error == .notFound || error == .invalid { throw .stale }
        throw error
      }
    }
  }

  /// The descriptor to ask about the file system that a node's changes go to.
  func fileSystem(of node: Node) -> SharedDescriptor {
    namespace.withReadLock { (node.writeLayer ?? node.topPart?.layer ?? node.layer ?? layers[0]).root }
  }

  /// SYNCFS: everything in the write maps is on disk afterwards.
  func syncAll() throws(Errno) {
    // All times that the guest has held back were sent before.
    files.restoreTimes()
    for layer in layers where layer.isWritable { try FileCalls.syncFileSystem(layer.root.raw) }
  }

  /// FSYNCDIR.
  func syncDirectory(_ node: Node) throws(Errno) {
    let directory = try namespace.withReadLock { () throws(Errno) -> SharedDescriptor? in
      guard let layer = node.writeLayer, node.part(in: layer) != nil, !node.isRemoved else { return nil }
      return try descriptor(of: node, in: layer)
    }
    guard let directory else { return }
    let dot: [UInt8] = [UInt8(ascii: "."), 0]
    let opened = try FileCalls.openBeneath(directory.raw, dot.span, OpenFlags.directory)
    try FileCalls.sync(opened.raw, dataOnly: false)
  }
}

// MARK: -

extension LayeredTree {
  /// The inode number and DT_* type that a lookup of a listed name would show, without counting one. Nil when it is gone.
  func listed(_ directory: Node, _ entry: Listing.Entry) -> (inode: UInt64, type: UInt8)? {
    namespace.withReadLock {
      if let known = nodes.peek(directory, entry.name.span) { return (known.inode, known.listedType) }
      // A plain listing of a layer below needs no second look; elsewhere a regular file may stand for something else, and an
      // overlayfs in the guest knows its whiteouts by this type.
      if let only = directory.topPart, directory.parts.count == 1, !only.layer.isWriteMap, !only.layer.isPack,
        entry.hostInode != 0, only.layer.isRead || entry.type != DirectoryReader.typeRegular
      {
        return (inodes.number(device: directory.identity.device, inode: entry.hostInode), entry.type)
      }
      var status = FileStatus()
      guard let found = try? resolve(directory, entry.name.span, &status).found() else { return nil }
      let place = Place(base: found.base, name: found.name ?? entry.name)
      if status.isRegular, status.length == 0 { decodeOwner(&status, place, in: found.layer) }
      return (number(of: found, status, place: place, in: directory), UInt8(truncatingIfNeeded: status.mode >> 12 & 15))
    }
  }
}

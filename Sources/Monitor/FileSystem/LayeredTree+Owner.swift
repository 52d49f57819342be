import Host

/// Who owns what, when the write maps' files cannot belong to whom the guest says.
extension LayeredTree {
  /// Turns the attributes of a file into those that the guest gave it.
  ///
  /// - Parameter layer: nil for a write map or share.
  func decodeOwner(_ status: inout FileStatus, _ place: Place, in layer: Layer? = nil) {
    if ownership == .real, layer?.isPack != true {
      FileCalls.decodePrivileges(&status, place.base.raw, place.name.span)
      if layer?.isRead == true { return }
      (status.uid, status.gid) = (users.guest(status.uid), groups.guest(status.gid))
      return
    }
    let isPack = layer?.isPack == true
    // Who owns a file may write what stands beside it: where others have files too, theirs shall not count.
    if isPack || status.uid == user {
      if status.isRegular || status.isDirectory, let stat = overrideStat(place, status) {
        stat.apply(to: &status)
        return
      }
      // It stands beside the directory's other links: that has to be the user's, too.
      if status.isSymlink, let owner = FileCalls.linkOwner(place.base.raw, place.name.span),
        isPack || (try? FileCalls.status(place.base.raw))?.uid == user
      {
        (status.uid, status.gid) = (owner.uid, owner.gid)
        return
      }
    }
    // Without a record the user's own files are root's, as in a rootless container.
    if status.uid == user { status.uid = 0 }
    if status.gid == group { status.gid = 0 }
  }

  private func overrideStat(_ place: Place, _ status: FileStatus) -> OverrideStat? {
    var buffer = InlineArray<128, UInt8>(repeating: 0)
    guard
      let count = FileCalls.shortAttribute(
        place.base.raw, place.name.span, MarkName.overrideStat, into: &buffer)
    else { return nil }
    return OverrideStat(parsing: buffer.span.extracting(0..<count), hostType: status.mode & FileType.mask)
  }

  /// The permissions that a file gets on the host: what the guest says, and the owner may always come in.
  func hostMode(_ mode: UInt32, isDirectory: Bool) -> UInt32 {
    if ownership == .real { return mode & 0o7777 }
    return mode & 0o777 | (isDirectory ? 0o700 : 0o600)
  }

  /// Makes owner and mode of a file in a write map or share what the guest wants.
  ///
  /// - Parameters:
  ///   - host: the file's attributes as the host has them.
  ///   - wanted: owner, mode and device number as the guest shall see them.
  ///   - layer: where it is.
  ///   - isNew: there is no record yet.
  func setOwner(
    _ place: Place, host: FileStatus, wanted: OverrideStat, in layer: Layer, isNew: Bool = false
  ) throws(Errno) {
    if ownership == .real { return try setRealOwner(place, host: host, wanted: wanted, layer.privileges, isNew: isNew) }
    if host.isSymlink { try setLinkOwner(place, wanted, isNew: isNew) }
    guard host.isRegular || host.isDirectory else {
      // Nothing is written to it: just its time of change tells.
      if !isNew { try? FileCalls.changeOwner(place.base.raw, place.name.span, uid: host.uid, gid: host.gid) }
      return
    }
    let mode = hostMode(wanted.mode, isDirectory: host.isDirectory)
    if !isNew || host.mode & 0o7777 != mode { try FileCalls.changeMode(place.base.raw, place.name.span, mode) }
    let isPlain =
      wanted.uid == 0 && wanted.gid == 0 && host.uid == user && host.gid == group
      && wanted.mode == (host.mode & FileType.mask | mode)
    if isPlain {
      if isNew { return }
      do throws(Errno) {
        try FileCalls.removeAttribute(place.base.raw, place.name.span, MarkName.overrideStat)
      } catch {
        guard error == .noData || error == .notSupported else { throw error }
      }
    } else {
      try FileCalls.setAttribute(
        place.base.raw, place.name.span, MarkName.overrideStat, wanted.bytes)
    }
  }

  private func setRealOwner(
    _ place: Place, host: FileStatus, wanted: OverrideStat, _ privileges: Privileges, isNew: Bool
  ) throws(Errno) {
    guard let uid = users.host(wanted.uid), let gid = groups.host(wanted.gid) else { throw .invalid }
    let isLink = host.isSymlink
    var mode = wanted.mode & 0o7777
    let isStandIn = host.isRegular && wanted.mode & FileType.mask != FileType.regular
    let isRecorded = isStandIn || host.isRegular && mode & 0o6000 != 0 && !privileges.contains(.suid)
    let isSealed = isRecorded && !isStandIn
    if isRecorded {
      if isSealed, !isNew { dropBrokenCapability(place) }
      let record = OverrideStat(uid: uid, gid: gid, mode: wanted.mode, major: wanted.major, minor: wanted.minor)
      try FileCalls.setAttribute(place.base.raw, place.name.span, MarkName.privileges, record.bytes)
      mode = mode & 0o777 | OverrideStat.standsBeside
    } else if !isNew, host.isRegular, host.mode & OverrideStat.standsBeside != 0 {
      try? FileCalls.removeAttribute(place.base.raw, place.name.span, MarkName.privileges)
      unseal(place)
    }
    // Where nothing differs the time of change does.
    if host.uid != uid || host.gid != gid || isLink && !isNew {
      try FileCalls.changeOwner(place.base.raw, place.name.span, uid: uid, gid: gid)
      // That clears set-id bits: the mode is set again.
      if !isLink, mode != 0 { try FileCalls.changeMode(place.base.raw, place.name.span, mode) }
    } else if !isLink, !isNew || host.mode & 0o7777 != mode {
      try FileCalls.changeMode(place.base.raw, place.name.span, mode)
    }
    // Last: a new owner breaks it.
    if isSealed { try FileCalls.setSeal(place.base.raw, place.name.span) }
  }
}

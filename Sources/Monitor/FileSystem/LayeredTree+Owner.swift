import Host

/// Who owns what, when the write maps' files cannot belong to whom the guest says.
extension LayeredTree {
  /// A guest's own character device 0:0 cannot be kept as such where it would be our whiteout. It is an empty file of this
  /// mode, which nothing else is likely to be, and says so in its `override_stat`.
  static let guestWhiteoutMode: UInt32 = 0o1000

  /// Turns the attributes of a write map's or pack's file into those that the guest gave it.
  func decodeOwner(_ status: inout FileStatus, _ place: Place, isPack: Bool = false) {
    if ownership == .real, !isPack {
      (status.uid, status.gid) = (users.guest(status.uid), groups.guest(status.gid))
      guard status.isRegular, status.mode & 0o7777 == LayeredTree.guestWhiteoutMode, status.length == 0 else { return }
      if let stat = overrideStat(place, status), stat.mode & FileType.mask == FileType.characterDevice {
        stat.apply(to: &status)
      }
      return
    }
    if status.isRegular || status.isDirectory, let stat = overrideStat(place, status) {
      stat.apply(to: &status)
      return
    }
    // Without a record the user's own files are root's, as in a rootless container.
    if status.uid == user { status.uid = 0 }
    if status.gid == group { status.gid = 0 }
    // As root, who made the pack could give them away.
    if isPack, user == 0 { return }
    if status.isSymlink { (status.uid, status.gid) = (0, 0) }
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

  /// Makes owner and mode of a file in a write map what the guest wants.
  ///
  /// - Parameters:
  ///   - host: the file's attributes as the host has them.
  ///   - wanted: owner, mode and device number as the guest shall see them.
  ///   - isNew: there is no record yet.
  func setOwner(_ place: Place, host: FileStatus, wanted: OverrideStat, isNew: Bool = false) throws(Errno) {
    let isLink = host.isSymlink
    if ownership == .real {
      guard let uid = users.host(wanted.uid), let gid = groups.host(wanted.gid) else { throw .invalid }
      // Where nothing differs the time of change does.
      if host.uid != uid || host.gid != gid || isLink && !isNew {
        try FileCalls.changeOwner(place.base.raw, place.name.span, uid: uid, gid: gid)
        // That clears set-id bits: the mode is set again below.
        if !isLink, wanted.mode & 0o7777 != 0 {
          try FileCalls.changeMode(place.base.raw, place.name.span, wanted.mode & 0o7777)
        }
      } else if !isLink, !isNew || host.mode & 0o7777 != wanted.mode & 0o7777 {
        try FileCalls.changeMode(place.base.raw, place.name.span, wanted.mode & 0o7777)
      }
      return
    }
    // Symlinks can carry no attribute of a user: they stay root's, and just their time of change tells.
    guard host.isRegular || host.isDirectory else {
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
}

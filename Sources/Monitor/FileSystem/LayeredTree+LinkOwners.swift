import Host

/// Whom symlinks belong to where owners are recorded: their directory knows, by name (`LinkOwners`), so what is renamed and removed
/// there has to be said twice.
extension LayeredTree {
  func setLinkOwner(_ place: Place, _ wanted: OverrideStat, isNew: Bool) throws(Errno) {
    let owner = LinkOwners.Owner(uid: wanted.uid, gid: wanted.gid)
    // A new one's name may be left of one that somebody on the host has removed: the sum of its target tells.
    if isNew, owner == .root { return }
    try linkOwners.withLock { () throws(Errno) in
      do throws(Errno) {
        try FileCalls.setLinkOwner(place.base.raw, place.name.span, owner)
      } catch {
        // Some file systems have room for some two hundred. The others are root's, except where only its owner may remove one.
        guard error == .noSpace || error == .outOfRange || error == .notSupported,
          let directory = try? FileCalls.status(place.base.raw), !isSticky(directory, place)
        else { throw error }
      }
    }
  }

  private func isSticky(_ directory: FileStatus, _ place: Place) -> Bool {
    var directory = directory
    decodeOwner(&directory, Place(base: place.base, name: FileCalls.itself))
    return directory.mode & 0o1000 != 0
  }

  /// Renames what may be a symlink, and takes along whom it belongs to.
  ///
  /// Killed half way, a name too many is recorded, which no link has that it was not meant for.
  func renameLink(
    _ from: Place, to: Place, _ flags: RenameFlags = [], rename: () throws(Errno) -> Void
  ) throws(Errno) {
    guard ownership == .recorded else { return try rename() }
    try linkOwners.withLock { () throws(Errno) in
      let moved = FileCalls.linkOwner(from.base.raw, from.name.span)
      let back = flags.contains(.exchange) ? FileCalls.linkOwner(to.base.raw, to.name.span) : nil
      try rename()
      if let moved { try? FileCalls.setLinkOwner(to.base.raw, to.name.span, moved) } else { forget(to) }
      if let back { try? FileCalls.setLinkOwner(from.base.raw, from.name.span, back) } else { forget(from) }
    }
  }

  /// Gives another name of a symlink the owner of the first.
  func linkLink(_ from: Place, to: Place) {
    guard ownership == .recorded else { return }
    linkOwners.withLock {
      guard let owner = FileCalls.linkOwner(from.base.raw, from.name.span) else { return }
      try? FileCalls.setLinkOwner(to.base.raw, to.name.span, owner)
    }
  }

  /// A symlink is gone from its name.
  func forgetLink(_ place: Place) {
    guard ownership == .recorded else { return }
    linkOwners.withLock { forget(place) }
  }

  private func forget(_ place: Place) { FileCalls.removeLinkOwner(place.base.raw, place.name.span) }
}

import Host

/// Whom symlinks belong to where owners are recorded: their directory knows, by name (`LinkOwners`), so what is renamed and removed
/// there has to be said twice.
extension LayeredTree {
  func setLinkOwner(_ place: Place, _ wanted: OverrideStat, isNew: Bool) throws(Errno) {
    let owner = LinkOwners.Owner(uid: wanted.uid, gid: wanted.gid)
    // A new one's name may be left of one that somebody on the host has removed: the sum of its target tells.
    if isNew, owner == .root { return }
    try linkOwners.withLock { () throws(Errno) in try record(owner, place) }
  }

  /// Some file systems have room for some two hundred in a directory. The others are root's, except where only its owner may
  /// remove one: there it is an error.
  private func record(_ owner: LinkOwners.Owner, _ place: Place, target: [UInt8]? = nil) throws(Errno) {
    do throws(Errno) {
      try FileCalls.setLinkOwner(
        place.base.raw, place.name.span, owner, target: target, isShared: hasWritableShares)
    } catch {
      guard error == .noSpace || error == .outOfRange || error == .notSupported,
        let directory = try? FileCalls.status(place.base.raw), !isSticky(directory, place)
      else { throw error }
    }
  }

  private func isSticky(_ directory: FileStatus, _ place: Place) -> Bool {
    var directory = directory
    decodeOwner(&directory, Place(base: place.base, name: FileCalls.itself))
    return directory.mode & 0o1000 != 0
  }

  /// Renames what may be a symlink, and takes along whom it belongs to.
  func renameLink(
    _ from: Place, to: Place, _ flags: RenameFlags = [], rename: () throws(Errno) -> Void
  ) throws(Errno) {
    guard ownership == .recorded else { return try rename() }
    try linkOwners.withLock { () throws(Errno) in
      let replaced = flags.contains(.exchange) ? FileCalls.linkOwner(to.base.raw, to.name.span) : nil
      try recordOwner(of: from, to: to, before: rename)
      if let replaced {
        try? record(replaced, from)
      } else {
        forget(from)
      }
    }
  }

  /// Gives a file another name.
  func link(_ node: Node, _ from: Place, to: Place) throws(Errno) {
    let link = { () throws(Errno) in
      try FileCalls.link(from.base.raw, from.name.span, to: to.base.raw, to.name.span)
    }
    if node.isSymlink { try linkLink(from, to: to, link: link) } else { try link() }
  }

  /// Gives what may be a symlink another name, which has the owner of the first.
  func linkLink(_ from: Place, to: Place, link: () throws(Errno) -> Void) throws(Errno) {
    guard ownership == .recorded else { return try link() }
    try linkOwners.withLock { () throws(Errno) in try recordOwner(of: from, to: to, before: link) }
  }

  /// Where it cannot be recorded and matters, `change` is not made. Killed before that, a name too many is recorded, which no link
  /// has that it was not meant for.
  private func recordOwner(of from: Place, to: Place, before change: () throws(Errno) -> Void) throws(Errno) {
    guard let owner = FileCalls.linkOwner(from.base.raw, from.name.span) else {
      try change()
      return forget(to)
    }
    let replaced = FileCalls.linkOwner(to.base.raw, to.name.span)
    try record(owner, to, target: try FileCalls.readLink(from.base.raw, from.name.span))
    do throws(Errno) {
      try change()
    } catch {
      if let replaced { try? record(replaced, to) } else { forget(to) }
      throw error
    }
  }

  /// A symlink is gone from its name.
  func forgetLink(_ place: Place) {
    guard ownership == .recorded else { return }
    linkOwners.withLock { forget(place) }
  }

  private func forget(_ place: Place) {
    FileCalls.removeLinkOwner(place.base.raw, place.name.span, isShared: hasWritableShares)
  }

  /// Write maps are one machine's at a time, and what it holds for that is a lock of its own.
  private var hasWritableShares: Bool { layers.contains { $0.kind.isWritableShare } }
}

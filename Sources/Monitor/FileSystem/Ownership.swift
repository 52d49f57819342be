import Host

/// How owner, mode and device numbers of the write maps' files are kept.
package enum Ownership: Equatable, Sendable {
  /// On the host's files themselves: the server runs as root.
  case real
  /// In `user.containers.override_stat` beside files that belong to the user who runs the server (see `OverrideStat`).
  case recorded

  /// `real` for root, else `recorded`.
  package static var forThisUser: Ownership { FileCalls.effectiveUser == 0 ? .real : .recorded }
}

extension MarkName {
  static func opaque(_ ownership: Ownership) -> [UInt8] { ownership == .real ? opaqueTrusted : opaqueUser }
  static func inode(_ ownership: Ownership) -> [UInt8] { ownership == .real ? inodeTrusted : inodeUser }
}

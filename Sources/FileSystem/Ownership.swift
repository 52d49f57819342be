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

/// Names of extended attributes, with their NUL: those that carry the tree's own marks, all hidden from the guest, and the
/// default access list.
enum MarkName {
  static let opaqueTrusted = [UInt8]("trusted.overlay.opaque\0".utf8)
  static let opaqueUser = [UInt8]("user.overlay.opaque\0".utf8)
  static let overrideStat = [UInt8]("user.containers.override_stat\0".utf8)
  /// Privileged attributes of an unprivileged tree: `user.containers.override_` and the name, as fuse-overlayfs has it.
  static let overridePrefix = [UInt8]("user.containers.override_".utf8)
  /// The inode number that a copied-up file had before, in the private range of overlayfs so that it hides it too.
  static let inodeTrusted = [UInt8]("trusted.overlay.novm_inode\0".utf8)
  static let inodeUser = [UInt8]("user.overlay.novm_inode\0".utf8)
  static let trustedOverlay = [UInt8]("trusted.overlay.".utf8)
  static let userOverlay = [UInt8]("user.overlay.".utf8)
  static let defaultACL = [UInt8]("system.posix_acl_default\0".utf8)
  static let yes = [UInt8]("y".utf8)

  static func opaque(_ ownership: Ownership) -> [UInt8] { ownership == .real ? opaqueTrusted : opaqueUser }
  static func inode(_ ownership: Ownership) -> [UInt8] { ownership == .real ? inodeTrusted : inodeUser }
}

/// Names of extended attributes, with their NUL: those that carry a tree's own marks, all hidden from the guest, and
/// access lists.
package enum MarkName {
  package static let opaqueTrusted = [UInt8]("trusted.overlay.opaque\0".utf8)
  package static let opaqueUser = [UInt8]("user.overlay.opaque\0".utf8)
  package static let overrideStat = [UInt8]("user.containers.override_stat\0".utf8)
  /// Privileged attributes of an unprivileged tree: `user.containers.override_` and the name, as fuse-overlayfs has it.
  package static let overridePrefix = [UInt8]("user.containers.override_".utf8)
  /// The inode number that a copied-up file had before, in the private range of overlayfs so that it hides it too.
  package static let inodeTrusted = [UInt8]("trusted.overlay.novm_inode\0".utf8)
  package static let inodeUser = [UInt8]("user.overlay.novm_inode\0".utf8)
  package static let trustedOverlay = [UInt8]("trusted.overlay.".utf8)
  package static let userOverlay = [UInt8]("user.overlay.".utf8)
  /// Access lists of an unprivileged tree, by the same rule.
  package static let overrideAccessACL = [UInt8]("user.containers.override_system.posix_acl_access\0".utf8)
  package static let overrideDefaultACL = [UInt8]("user.containers.override_system.posix_acl_default\0".utf8)
  package static let defaultACL = [UInt8]("system.posix_acl_default\0".utf8)
  package static let yes = [UInt8]("y".utf8)
}

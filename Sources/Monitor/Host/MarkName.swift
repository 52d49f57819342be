/// Names of extended attributes, with their NUL: those that carry a tree's own marks, all hidden from the guest, and
/// access lists.
package enum MarkName {
  package static let opaqueTrusted = [UInt8]("trusted.overlay.opaque\0".utf8)
  package static let opaqueUser = [UInt8]("user.overlay.opaque\0".utf8)
  /// What overlayfs leaves where something goes on in a layer below: a file's content (`metacopy`), a directory that was renamed
  /// (`redirect_dir`).
  fileprivate static let metacopy = [
    [UInt8]("trusted.overlay.metacopy\0".utf8), [UInt8]("user.overlay.metacopy\0".utf8),
  ]
  fileprivate static let redirect = [
    [UInt8]("trusted.overlay.redirect\0".utf8), [UInt8]("user.overlay.redirect\0".utf8),
  ]
  /// On each directory that has such (`OVL_XATTR_IMPURE`, fs/overlayfs/copy_up.c).
  fileprivate static let impure = [
    [UInt8]("trusted.overlay.impure\0".utf8), [UInt8]("user.overlay.impure\0".utf8),
  ]
  /// What a file of root's write map or share is to the guest and not to the host (`OverrideStat`). Only root can set such an
  /// attribute: what others could write, a user of the host could give himself in the guest.
  package static let privileges = [UInt8]("trusted.novm.stat\0".utf8)
  package static let privilegedCapability = [UInt8]("trusted.novm.security.capability\0".utf8)
  /// `security.capability`: the host's own, or a seal (`FileCalls.seal`).
  package static let capability = [UInt8]("security.capability\0".utf8)
  package static let trustedNovm = [UInt8]("trusted.novm.".utf8)
  package static let overrideStat = [UInt8]("user.containers.override_stat\0".utf8)
  /// On a directory: `LinkOwners`.
  package static let overrideLinks = [UInt8]("user.containers.override_links\0".utf8)
  /// Privileged attributes of an unprivileged tree: `user.containers.override_` and the name, as fuse-overlayfs has it.
  package static let overridePrefix = [UInt8]("user.containers.override_".utf8)
  /// The inode number that a copied-up file had before, in the private range of overlayfs so that it hides it too.
  package static let inodeTrusted = [UInt8]("trusted.overlay.novm_inode\0".utf8)
  package static let inodeUser = [UInt8]("user.overlay.novm_inode\0".utf8)
  package static let trustedOverlay = [UInt8]("trusted.overlay.".utf8)
  package static let userOverlay = [UInt8]("user.overlay.".utf8)
  package static let overlay = [UInt8]("overlay.".utf8)
  /// Access lists of an unprivileged tree, by the same rule.
  package static let overrideAccessACL = [UInt8]("user.containers.override_system.posix_acl_access\0".utf8)
  package static let overrideDefaultACL = [UInt8]("user.containers.override_system.posix_acl_default\0".utf8)
  package static let defaultACL = [UInt8]("system.posix_acl_default\0".utf8)
  package static let yes = [UInt8]("y".utf8)
}

extension FileCalls {
  /// Whether a file or directory of an overlayfs's upper layer is but a part of what it was there, and the rest lies below.
  package static func goesOnBelow(_ directory: Int32, _ name: Span<UInt8>, _ status: FileStatus) -> Bool {
    guard status.isDirectory || status.isRegular && status.length > 0 else { return false }
    return hasOne(of: status.isDirectory ? MarkName.redirect : MarkName.metacopy, directory, name)
  }

  /// Whether overlayfs has noted that files or directories in a directory may be such parts, or ever were.
  package static func mayGoOnBelow(in directory: Int32) -> Bool {
    let itself = itself
    return hasOne(of: MarkName.impure, directory, itself.span)
  }

  private static func hasOne(of marks: [[UInt8]], _ directory: Int32, _ name: Span<UInt8>) -> Bool {
    // Only root sees the first.
    for mark in effectiveUser == 0 ? marks[...] : marks[1...] where hasAttribute(directory, name, mark) { return true }
    return false
  }
}

import CLinux
import Glibc
import Host

/// Owner, mode, time and attributes of a pack's files, as a write map without root keeps them (docs/tree.md, "Owners"):
/// files belong to whoever made the pack, and what the guest is to see stands in `user.containers.override_stat`.
///
/// That is so for root too. No file of a pack is then a device or set-id program of the host's, and a store can be moved.
package enum TreeMetadata {
  /// - Parameters:
  ///   - name: with its NUL, in the directory; or that alone, for the file itself.
  ///   - type: the type bits of the file as it is on the host.
  static func apply(_ entry: PackEntry, to directory: Int32, _ name: [UInt8], type: UInt32) throws(Errno) {
    if type == FileType.symlink {
      // Symbolic links can carry no attributes of a user: their directory has what there is room for.
      if entry.uid != 0 || entry.gid != 0 {
        if geteuid() == 0 {
          try FileCalls.changeOwner(directory, name.span, uid: entry.uid, gid: entry.gid)
        } else {
          try? FileCalls.setLinkOwner(directory, name.span, LinkOwners.Owner(uid: entry.uid, gid: entry.gid))
        }
      }
    } else {
      for attribute in entry.attributes {
        guard let kept = keptName(attribute.name) else { continue }
        try FileCalls.setAttribute(directory, name.span, kept, attribute.value)
      }
      if case .directory(isOpaque: true) = entry.kind {
        try FileCalls.setAttribute(directory, name.span, MarkName.opaqueUser, MarkName.yes)
      }
      if !isPlain(entry) {
        try FileCalls.setAttribute(directory, name.span, MarkName.overrideStat, record(entry).bytes)
      }
      try FileCalls.changeMode(directory, name.span, hostMode(entry, type))
    }
    try FileCalls.changeTimes(
      directory, name.span, accessed: .set(entry.modified), modified: .set(entry.modified))
  }

  /// The permissions of the file on the host: its owner may always come in.
  private static func hostMode(_ entry: PackEntry, _ type: UInt32) -> UInt32 {
    type == FileType.directory ? entry.mode & 0o777 | 0o700 : entry.mode & 0o777 | 0o600
  }

  /// Whether the file on the host says it all.
  private static func isPlain(_ entry: PackEntry) -> Bool {
    guard entry.uid == 0, entry.gid == 0 else { return false }
    switch entry.kind {
    case .directory: return entry.mode == hostMode(entry, FileType.directory)
    case .file: return entry.mode == hostMode(entry, FileType.regular)
    default: return false
    }
  }

  private static func record(_ entry: PackEntry) -> OverrideStat {
    var record = OverrideStat(uid: entry.uid, gid: entry.gid, mode: entry.mode)
    switch entry.kind {
    case .directory: record.mode |= FileType.directory
    case .fifo: record.mode |= FileType.fifo
    case .device(let isBlock, let major, let minor):
      record.mode |= isBlock ? FileType.blockDevice : FileType.characterDevice
      (record.major, record.minor) = (major, minor)
    default: record.mode |= FileType.regular
    }
    return record
  }

  /// Under which name, with its NUL, the tree keeps an attribute; nil for one that only the manifest has.
  static func keptName(_ name: [UInt8]) -> [UInt8]? {
    if name.starts(with: user) { return name + [0] }
    if name.starts(with: security) || name.starts(with: trusted) { return MarkName.overridePrefix + name + [0] }
    return nil
  }

  /// Whether a pack has an attribute: not one that means something to a tree, or to the host that it was found on.
  package static func isKept(_ name: [UInt8]) -> Bool {
    if name.starts(with: MarkName.trustedOverlay) || name.starts(with: MarkName.userOverlay)
      || name.starts(with: MarkName.trustedNovm) || name.starts(with: containers)
      || name.count > 255 - MarkName.overridePrefix.count || name.contains(0)
    {
      return false
    }
    return name.starts(with: user) && name.count > user.count
      || name.starts(with: trusted) && name.count > trusted.count
      || name == capability
  }

  static func failure(
    _ error: Errno, _ operation: PackError.Operation, _ path: [UInt8], store: String
  ) -> PackError {
    error == .notSupported ? .noAttributes(path: store) : .system(operation: operation, path: path, error)
  }

  private static let user = [UInt8]("user.".utf8)
  private static let trusted = [UInt8]("trusted.".utf8)
  private static let security = [UInt8]("security.".utf8)
  /// The rest of `security.*` is the host's: labels and signatures that mean nothing elsewhere.
  static let capability = [UInt8]("security.capability".utf8)
  private static let containers = [UInt8]("user.containers.".utf8)
}

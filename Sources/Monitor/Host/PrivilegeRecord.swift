/// What files of root's write maps and shares are to the guest alone (`MarkName.privileges`).
///
/// A program that somebody has written to has no privileges, or who may write to it would have them: the host's kernel takes set-id
/// bits and capabilities away then, but it knows nothing of records. So what records give holds only while the file is sealed: by
/// capabilities of the host's that are none, which the kernel takes away with every change of the file's data or owner, whoever
/// makes it (security_inode_killpriv).
extension FileCalls {
  /// Of the second revision (struct vfs_cap_data): permitted none, and inheritable one that there is not, to which the kernel shuts its
  /// eyes (CAP_VALID_MASK) and by which the seal is told from what somebody else has put there.
  package static let seal: [UInt8] = [0, 0, 0, 2] + [UInt8](repeating: 0, count: 15) + [0x80]

  /// Turns a file's attributes into those that the guest gave it: set-id bits, and what an empty file stands for.
  package static func decodePrivileges(_ status: inout FileStatus, _ directory: Int32, _ name: Span<UInt8>) {
    guard status.isRegular, status.mode & OverrideStat.standsBeside != 0 else { return }
    guard let stat = record(directory, name, MarkName.privileges) else {
      return decodeOldWhiteout(&status, directory, name)
    }
    if stat.mode & FileType.mask == FileType.regular {
      status.mode = status.mode & ~OverrideStat.standsBeside | stat.mode & OverrideStat.standsBeside
      // A new owner does not inherit privileges, whoever gave the file away.
      if stat.uid == status.uid, stat.gid == status.gid, isSealed(directory, name) { status.mode |= stat.mode & 0o6000 }
    } else if status.length == 0 {
      status.mode = stat.mode & (FileType.mask | 0o7000) | status.mode & 0o777
      (status.specialMajor, status.specialMinor) = (stat.major, stat.minor)
    }
  }

  /// Whether nobody has changed a file since it was sealed.
  package static func isSealed(_ directory: Int32, _ name: Span<UInt8>) -> Bool {
    var buffer = InlineArray<128, UInt8>(repeating: 0)
    guard shortAttribute(directory, name, MarkName.capability, into: &buffer) == seal.count else { return false }
    return seal.indices.allSatisfy { buffer[$0] == seal[$0] }
  }

  /// Says that what is recorded holds for the file as it is.
  package static func setSeal(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) {
    try setAttribute(directory, name, MarkName.capability, seal)
  }

  /// A guest's own character device 0:0 as it was kept at first. Any user can write such a record, so it may say nothing else.
  private static func decodeOldWhiteout(_ status: inout FileStatus, _ directory: Int32, _ name: Span<UInt8>) {
    guard status.mode & 0o7777 == OverrideStat.standsBeside, status.length == 0,
      let stat = record(directory, name, MarkName.overrideStat), stat.isWhiteout
    else { return }
    stat.apply(to: &status)
  }

  private static func record(_ directory: Int32, _ name: Span<UInt8>, _ mark: [UInt8]) -> OverrideStat? {
    var buffer = InlineArray<128, UInt8>(repeating: 0)
    guard let count = shortAttribute(directory, name, mark, into: &buffer) else { return nil }
    return OverrideStat(parsing: buffer.span.extracting(0..<count), hostType: FileType.regular)
  }
}

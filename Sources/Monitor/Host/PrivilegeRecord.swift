/// What files of root's write maps and shares are to the guest alone (`MarkName.privileges`).
extension FileCalls {
  /// Turns a file's attributes into those that the guest gave it: set-id bits, and what an empty file stands for.
  package static func decodePrivileges(_ status: inout FileStatus, _ directory: Int32, _ name: Span<UInt8>) {
    guard status.isRegular, status.mode & OverrideStat.standsBeside != 0 else { return }
    guard let stat = record(directory, name, MarkName.privileges) else {
      return decodeOldWhiteout(&status, directory, name)
    }
    if stat.mode & FileType.mask == FileType.regular {
      status.mode = status.mode & ~OverrideStat.standsBeside | stat.mode & OverrideStat.standsBeside
      // A new owner does not inherit privileges, whoever gave the file away.
      if stat.uid == status.uid, stat.gid == status.gid { status.mode |= stat.mode & 0o6000 }
    } else if status.length == 0 {
      status.mode = stat.mode & (FileType.mask | 0o7000) | status.mode & 0o777
      (status.specialMajor, status.specialMinor) = (stat.major, stat.minor)
    }
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

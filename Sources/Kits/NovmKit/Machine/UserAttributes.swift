import CLinux
import Glibc
import Host

/// Extended attributes in `user.`, in which a tree of an ordinary user's records owners, modes and device nodes.
enum UserAttributes {
  /// Whether files of this machine need them: root's own what they say they own.
  static var areNeeded: Bool { geteuid() != 0 }

  /// Whether the file system of a directory has them, as ext4, XFS and Btrfs do and tmpfs before Linux 6.6 does not.
  ///
  /// - Throws: what keeps the directory from being opened.
  static func areKept(in directory: Path) throws(Errno) -> Bool {
    let file = try FileDescriptor.open(directory, O_RDONLY | O_DIRECTORY)
    // With a byte for a value: some file systems remove an attribute that is set to nothing.
    let value: [UInt8] = [1]
    if unsafe fsetxattr(file.raw, probe, value, value.count, 0) == 0 {
      _ = unsafe fremovexattr(file.raw, probe)
      return true
    }
    if Errno.current == Errno(EOPNOTSUPP) { return false }
    // Not ours to write, such as a sticky directory of someone else's (xattr(7)); that it cannot be read says enough.
    return unsafe fgetxattr(file.raw, probe, nil, 0) >= 0 || Errno.current != Errno(EOPNOTSUPP)
  }

  private static let probe = "user.novm.probe"
}

import CLinux
import Glibc

/// Owners, modes and times.
extension FileCalls {
  /// fchownat(2); `UInt32.max` keeps an id.
  package static func changeOwner(
    _ directory: Int32, _ name: Span<UInt8>, uid: UInt32, gid: UInt32
  ) throws(Errno) {
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    try checked(unsafe path(name) { unsafe fchownat(directory, $0, uid, gid, flags) })
  }

  /// fchmodat2(2), or before Linux 6.6 chmod(2) of what was opened first.
  ///
  /// - Throws: EOPNOTSUPP for symlinks.
  package static func changeMode(_ directory: Int32, _ name: Span<UInt8>, _ mode: UInt32) throws(Errno) {
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    do {
      try checked(unsafe path(name) { unsafe clinux_chmod_no_follow(directory, $0, mode, flags) })
    } catch {
      guard error == Errno(ENOSYS) else { throw error }
      try changeModeByDescriptor(directory, name, mode)
    }
  }

  /// chmod(2) follows a symlink at the end of `/proc/self/fd/N/NAME`, which whoever else writes the directory may have put there
  /// since anybody looked. The path of a descriptor leads to what it is open on, and nowhere else.
  private static func changeModeByDescriptor(
    _ directory: Int32, _ name: Span<UInt8>, _ mode: UInt32
  ) throws(Errno) {
    if name.count > 1 {
      let file = try openBeneath(directory, name, OpenFlags.path)
      let itself = itself
      return try changeModeByDescriptor(file.raw, itself.span, mode)
    }
    // Some file systems would do it to symlinks.
    if try status(directory).isSymlink { throw .notSupported }
    let link = DescriptorPath(directory, name)
    try checked(unsafe link.withPath { unsafe chmod($0, mode) })
  }

  /// utimensat(2).
  package static func changeTimes(
    _ directory: Int32, _ name: Span<UInt8>, accessed: TimeChange, modified: TimeChange
  ) throws(Errno) {
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    var times = (accessed.raw, modified.raw)
    try checked(
      unsafe path(name) { path in
        unsafe withUnsafePointer(to: &times) {
          unsafe $0.withMemoryRebound(to: timespec.self, capacity: 2) {
            unsafe utimensat(directory, path, $0, flags)
          }
        }
      })
  }

  package static func changeTimes(
    _ descriptor: Int32, accessed: TimeChange, modified: TimeChange
  ) throws(Errno) {
    let itself = itself
    try changeTimes(descriptor, itself.span, accessed: accessed, modified: modified)
  }
}

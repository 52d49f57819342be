import CLinux
import Glibc

extension FileCalls {
  /// Whether users other than root can come to a directory: they cannot if one of those above it is root's and lets nobody else
  /// search it. An access control list lets in no more than the permissions of the group say (acl(5)).
  ///
  /// Its own mode says nothing: whoever may change what is in it may change that, too.
  /// As it is now, and by the way on which this process sees it; another mount of it is not known of.
  ///
  /// - Parameter isChanging: whether one above it is such that can be changed with all below, so that their modes count no more.
  package static func isOpenToOthers(_ directory: Int32, isChanging: (FileStatus) -> Bool = { _ in false }) -> Bool {
    let parent: [UInt8] = [UInt8(ascii: "."), UInt8(ascii: "."), 0]
    var current = FileDescriptor(owning: -1)
    var isClosed = false
    var status: FileStatus
    do { status = try self.status(directory) } catch { return true }
    // No path of the host has more components than this.
    for _ in 0..<4096 {
      let from = current.raw < 0 ? directory : current.raw
      let opened = unsafe parent.withUnsafeBytes {
        unsafe clinux_openat2(
          from, $0.assumingMemoryBound(to: CChar.self).baseAddress!, UInt64(OpenFlags.directoryPath | O_CLOEXEC), 0, 0)
      }
      guard opened >= 0 else { return true }
      current = FileDescriptor(owning: opened)
      guard let above = try? self.status(current.raw) else { return true }
      // What is above / is / itself.
      if above.device == status.device, above.inode == status.inode { return !isClosed }
      if isChanging(above) {
        isClosed = false
      } else if above.uid == 0, above.mode & 0o011 == 0 {
        isClosed = true
      }
      status = above
    }
    return true
  }
}

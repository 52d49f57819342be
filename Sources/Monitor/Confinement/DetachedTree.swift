import CLinux
import Glibc
package import Host

/// A directory, with all that is mounted below it, or a file, as mounts of its own that are in no namespace (open_tree(2)): from there no
/// `..` leads further up. It takes CAP_SYS_ADMIN.
package struct DetachedTree: ~Copyable {
  private let descriptor: FileDescriptor

  /// Devices below cannot be opened by way of it: whoever may make one in a tree would have any of the host's.
  ///
  /// - Parameter isReadOnly: nothing below can be changed by way of it, modes and attributes included.
  /// - Throws: ENOENT and what else opening says; EPERM without the capability; ENOSYS before Linux 5.12 (mount_setattr(2)).
  package init(of path: Path, isReadOnly: Bool) throws(Errno) {
    let opened = try FileDescriptor.open(path, OpenFlags.path)
    let clone = FileDescriptor(owning: try checked(clinux_clone_tree(opened.raw)))
    try checked(clinux_restrict_tree(clone.raw, isReadOnly ? 1 : 0))
    descriptor = clone
  }

  /// A path to it for as long as the process lives, which keeps it open.
  package consuming func keep() -> Path { "/proc/self/fd/\(descriptor.release())" }
}

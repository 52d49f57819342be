import CLinux
import Glibc
package import Host

/// A directory, with all that is mounted below it, or a file, as mounts of its own that are in no namespace (open_tree(2)): from there no
/// `..` leads further up. It takes CAP_SYS_ADMIN.
package struct DetachedTree: ~Copyable {
  private let descriptor: FileDescriptor

  /// - Parameter isReadOnly: nothing below can be changed by way of it, modes and attributes included (mount_setattr(2), Linux
  ///   5.12; before that it can).
  /// - Throws: ENOENT and what else opening says; EPERM without the capability.
  package init(of path: Path, isReadOnly: Bool) throws(Errno) {
    let opened = try FileDescriptor.open(path, OpenFlags.path)
    descriptor = FileDescriptor(owning: try checked(clinux_clone_tree(opened.raw)))
    if isReadOnly { _ = clinux_make_tree_read_only(descriptor.raw) }
  }

  /// A path to it for as long as the process lives, which keeps it open.
  package consuming func keep() -> Path { "/proc/self/fd/\(descriptor.release())" }
}

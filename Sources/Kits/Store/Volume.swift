import CLinux
import Glibc
import Host

/// A named tree of writes, for one machine at a time: locked for as long as this value lives.
///
///     VOLUMES/NAME/lock   locked (flock(2)) by `novm` and `novmm` for as long as either lives
///     VOLUMES/NAME/tree   what guests wrote, in overlayfs's form
package final class Volume {
  package let name: String
  /// The write map's directory.
  package let tree: String
  private let lock: FileDescriptor

  /// Opens a volume, which is made if need be.
  ///
  /// - Parameter directory: that of all volumes.
  package init(_ name: String, in directory: String) throws(StoreError) {
    self.name = name
    let path = "\(directory)/\(name)"
    tree = "\(path)/tree"
    // Only its owner comes in: set-id programs of a guest's root lie in there.
    try Directories.make(path, mode: 0o700)
    do throws(Errno) {
      lock = try FileDescriptor.open(Path("\(path)/lock"), O_RDWR | O_CREAT, mode: 0o600)
    } catch {
      throw .system(operation: .open, path: "\(path)/lock", error)
    }
    guard flock(lock.raw, LOCK_EX | LOCK_NB) == 0 else {
      if Errno.current == Errno(EWOULDBLOCK) { throw .volumeInUse(name) }
      throw .system(operation: .lock, path: "\(path)/lock", .current)
    }
    guard unsafe mkdir(tree, 0o755) == 0 || Errno.current == Errno(EEXIST) else {
      throw .system(operation: .create, path: tree, .current)
    }
  }

  /// For a child process to hold, so that the volume counts as in use until that has ended too.
  package var lockDescriptor: Int32 { lock.raw }
}

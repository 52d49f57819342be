import Glibc

/// A directory that one process has for itself: flock(2) on the directory, which leaves no trace in it.
package final class DirectoryLock {
  private let descriptor: FileDescriptor

  /// - Parameter patience: how long to wait for another to end, in milliseconds.
  /// - Throws: `EWOULDBLOCK` if another has it still. A file system that knows no locks gives all it is asked for.
  package init(_ path: Path, patience: Int) throws(Errno) {
    descriptor = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
    for _ in 0...max(0, patience / Self.interval) {
      if flock(descriptor.raw, LOCK_EX | LOCK_NB) == 0 || Errno.current != .wouldBlock { return }
      usleep(UInt32(Self.interval) * 1000)
    }
    throw .wouldBlock
  }

  /// In milliseconds.
  private static let interval = 20
}

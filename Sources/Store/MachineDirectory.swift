import CLinux
import Glibc
import Host

/// One machine's place on disk, locked for as long as this value lives.
package final class MachineDirectory {
  package let identifier: String
  package let path: String
  /// Where its sockets are: short enough for a Unix socket's address, and private to the user.
  package let runtime: String
  private let lock: FileDescriptor
  private var isRemoved = false

  /// Fills a directory that was just made, with the store's lock held.
  init(identifier: String, path: String, runtime: String) throws(StoreError) {
    self.identifier = identifier
    self.path = path
    self.runtime = runtime
    do throws(Errno) {
      lock = try FileDescriptor.open("\(path)/lock", O_RDWR | O_CREAT, mode: 0o600)
      try checked(flock(lock.raw, LOCK_EX | LOCK_NB))
    } catch {
      throw .system(operation: .lock, path: "\(path)/lock", error)
    }
    // The link goes first: whoever finds the directory must be able to find the sockets.
    guard unsafe symlink(runtime, "\(path)/runtime") == 0 else {
      throw .system(operation: .link, path: "\(path)/runtime", .current)
    }
    for made in [runtime, root] {
      guard unsafe mkdir(made, 0o700) == 0 else { throw .system(operation: .create, path: made, .current) }
    }
    // The guest sees this directory's own attributes as those of its `/`.
    guard unsafe chmod(root, 0o755) == 0 else { throw .system(operation: .create, path: root, .current) }
  }

  /// The directory for the guest's writes.
  package var root: String { "\(path)/root" }

  /// The Unix socket that stands for the guest's vsock.
  package var vsock: String { "\(runtime)/vsock" }

  /// For a child process to hold, so that the machine counts as alive until that has ended too.
  package var lockDescriptor: Int32 { lock.raw }

  /// Removes the directory and the sockets.
  package func remove() throws(StoreError) {
    guard !isRemoved else { return }
    isRemoved = true
    // Out of sight at once: a directory half removed looks like one that was left behind.
    let gone = "\(path.dropLast(identifier.count))\(MachineStore.gonePrefix)\(identifier)"
    guard unsafe rename(path, gone) == 0 else { throw .system(operation: .rename, path: path, .current) }
    try Self.removeTree(gone, identifier: identifier)
  }

  /// Whether some process holds the lock of the machine in this directory.
  static func isAlive(_ path: String) -> Bool {
    guard let file = try? FileDescriptor.open("\(path)/lock", O_RDWR) else { return false }
    return flock(file.raw, LOCK_EX | LOCK_NB) != 0
  }

  /// Removes a machine's directory and, before it, the directory of sockets that its link names.
  static func removeTree(_ path: String, identifier: String) throws(StoreError) {
    if let runtime = Directories.linkTarget("\(path)/runtime"), runtime.hasSuffix("/\(identifier)") {
      try TreeRemoval.remove(runtime)
    }
    try TreeRemoval.remove(path)
  }
}

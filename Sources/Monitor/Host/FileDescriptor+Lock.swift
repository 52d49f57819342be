import Glibc

extension FileDescriptor {
  /// Opens a file that is there to be locked, made if need be, and locks it (flock(2)) for as long as the descriptor, or one that
  /// was made of it, is open.
  ///
  /// - Parameter operation: such as `LOCK_EX`; with `LOCK_NB` one that another has is EWOULDBLOCK.
  package static func lockFile(_ path: String, _ operation: Int32) throws(Errno) -> FileDescriptor {
    let lock = try open(path, O_RDWR | O_CREAT, mode: 0o600)
    let number = lock.raw
    try retryingInterrupts { flock(number, operation) }
    return lock
  }
}

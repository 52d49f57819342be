import Host

/// What can go wrong with the store's directories.
package enum StoreError: Error, Equatable, Sendable {
  /// A system call on a path failed.
  case system(operation: Operation, path: String, Errno)
  /// The directory for sockets belongs to another user, or others may write to it.
  case untrustedRuntime(path: String)
  /// Even the shortest directory for sockets makes a longer name than a Unix socket's address can hold.
  case socketPathTooLong(path: String)

  /// Another machine writes to a volume.
  case volumeInUse(String)

  package enum Operation: String, Sendable {
    case open, create, remove, rename, list, lock, link
  }
}

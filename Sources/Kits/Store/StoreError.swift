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

  /// Not a name for a machine.
  case machineName(String)
  /// Another machine has this name.
  case nameTaken(String)
  /// No machine has this name or an identifier that begins so; the names that there are.
  case noMachine(String, known: [String])
  /// So many identifiers begin like this.
  case ambiguous(String, count: Int)
  /// What was asked needs a machine that does not run.
  case machineRuns(String)

  package enum Operation: String, Sendable {
    case open, create, write, remove, rename, list, lock, link
  }
}

import FileSystem
import Host
import Packs

/// Why changes cannot be told or applied. Paths are the guest's unless told otherwise.
package enum ChangesError: Error, Equatable, Sendable {
  package enum Operation: String, Sendable {
    case read, make, change, replace, remove
  }

  /// The tree as it was cannot be composed.
  case tree(TreeError)
  /// What the machine wrote cannot be read.
  case written(PackError)
  /// A system call on a path of the guest's failed.
  case system(Operation, path: [UInt8], Errno)
  /// Some changes cannot be applied; nothing was.
  case obstacles([Obstacle])
}

/// Why a change cannot be applied to the host.
package struct Obstacle: Equatable, Sendable {
  package enum Reason: Equatable, Sendable {
    /// Somebody else changed it since the machine was made.
    case changedOnHost(path: [UInt8])
    /// It belongs to a pack or a kernel, which do not change.
    case notAHostDirectory
    /// A device or a socket.
    case notAFile
  }

  package let path: [UInt8]
  package let reason: Reason
}

import Host
import Packs

/// What can go wrong with snapshots.
package enum SnapshotError: Error, Equatable, Sendable {
  /// A system call on a path failed.
  case system(path: String, Errno)
  case files(PackError)
  /// Not a name for a snapshot.
  case name(String)
  /// Another snapshot has this name.
  case nameTaken(String)
  /// No snapshot has this name; the names that there are.
  case noSnapshot(String, known: [String])
  /// It is of another novm's, in a form that this one does not know.
  case format(String)
  /// One of its parts is not what it was.
  case damaged(String, part: String)
}

import Host

/// Why a tree cannot be composed.
package enum TreeError: Error, Equatable, Sendable {
  /// A host path cannot be opened.
  case unreadable(hostPath: Path, Errno)
  /// A host path is not a directory.
  case notADirectory(hostPath: Path)
  /// A guest path is not absolute, or leads through something that is no directory.
  case badGuestPath(Path)
  /// A guest path has too many symlinks on its way.
  case tooManySymlinks(guestPath: Path)
  /// A write map's directory cannot be written.
  case unwritable(hostPath: Path, Errno)
  /// Nothing is mapped at `/`.
  case noRoot
  /// `/proc` is not mounted, which extended attributes need.
  case noProc

  /// One line that names the thing and the mend.
  package var description: String {
    switch self {
    case .unreadable(let path, let error): "\(path): \(error.description); give a directory that you may read"
    case .notADirectory(let path):
      "\(path): not a directory; a tree consists of directories, and of single files with --read and --share"
    case .badGuestPath(let path):
      "\(path): not a directory of the guest's tree; give an absolute path that leads through directories only"
    case .tooManySymlinks(let path): "\(path): too many symbolic links on the way; give the path they lead to"
    case .unwritable(let path, let error): "\(path): \(error.description); give a directory that you may write"
    case .noRoot: "nothing is mapped at /; add a map such as --read /=>DIRECTORY"
    case .noProc: "/proc is not mounted, and extended attributes of layers need it; mount it"
    }
  }
}

/// Where the files of a transfer go, by the rules of `docker cp`: into a directory that is there, under the name that they
/// have; else the destination is the new name of the one that is copied.
package enum FilePlacement: Equatable, Sendable {
  /// What the destination is before the transfer, symbolic links followed.
  package enum Destination: Sendable {
    case directory, other, nothing
  }

  /// Each path goes below the destination.
  case below
  /// The destination takes the place of the first path.
  case renamed
  /// A file where a directory is wanted, or the other way around.
  case refused

  /// - Parameters:
  ///   - first: the first record of the transfer, the root of it all; its path is empty for the content of a directory, and
  ///     one name otherwise.
  ///   - endsInSlash: whether the destination is named as a directory.
  package init(_ first: FileRecord, at destination: Destination, endsInSlash: Bool) {
    let isDirectory = first.kind == .directory
    switch destination {
    case .directory: self = .below
    case .other: self = isDirectory || endsInSlash ? .refused : .renamed
    case .nothing: self = !isDirectory && endsInSlash ? .refused : first.path.isEmpty ? .below : .renamed
    }
  }
}

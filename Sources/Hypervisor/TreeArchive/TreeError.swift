/// What is wrong with an archive. Places are bytes from its beginning.
package enum TreeError: Error, Equatable {
  /// There is no header at this place where one should be.
  case damaged(place: Int)
  /// The archive ends within the entry there, or without the block of zeros that ends each.
  case truncated(place: Int)
  /// The file there is kept without its holes, or in several archives.
  case unsupported(place: Int)
  /// There are more files and directories than there may be.
  case tooManyEntries(limit: Int)
}

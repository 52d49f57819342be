import Host

/// What can go wrong with packs. Only the program turns it into words.
package enum PackError: Error, Equatable {
  /// A system call on a path failed.
  case system(operation: Operation, path: [UInt8], Errno)
  /// A pack's name that cannot be a file's.
  case invalidName(String)
  /// A name that only layers of images have.
  case layerName(String)
  case noSuchPack(String, store: String)
  /// There is a pack of that name.
  case nameTaken(String)
  /// A machine has the pack in its tree.
  case inUse(String)
  /// What the store has of a pack is not what it was made of.
  case damagedPack(String, String)
  /// The store's file system keeps no user attributes, which record owners.
  case noAttributes(path: String)
  /// The archive as a whole cannot be read.
  case archive(path: [UInt8], String)
  /// The archive is a container image (`docker save`, or an OCI layout) and no tree.
  case image(path: [UInt8])
  /// An archive's entry that is no part of any tree.
  case entry(archive: [UInt8], path: [UInt8], EntryFault)
  /// A file is not what it was promised to be.
  case digest(path: [UInt8], expected: Digest, actual: Digest)
  /// A source's file changed while it was read.
  case changed(path: [UInt8])
  /// A pattern or option that cannot be.
  case pattern(String)
  /// More than packs are meant for: see `PackLimits`.
  case limit(source: [UInt8], path: [UInt8], LimitFault)
  /// The archive's format cannot hold this entry.
  case unrepresentable(path: [UInt8], String)

  package enum Operation: String, Sendable {
    case open, read, write, create, remove, rename, list, lock, link, attributes
  }

  static func system(_ operation: Operation, _ path: String, _ error: Errno) -> PackError {
    .system(operation: operation, path: Array(path.utf8), error)
  }
}

/// Why an archive's entry is refused.
package enum EntryFault: Equatable, Sendable {
  /// It begins with a slash.
  case absolute
  /// It has `..` in it.
  case climbs
  /// A name that is empty or too long, or the path is.
  case badName
  /// It lies beneath something that is no directory, such as a symbolic link.
  case beneath([UInt8])
  /// A link to something that is no file of the archive, or outside it.
  case linkTarget([UInt8])
  /// A directory in the place of something else, or the other way around.
  case replaces
  /// A kind of file that archives cannot have.
  case kind
  /// A symbolic link without a target, or with one that cannot be.
  case symlinkTarget
}

package enum LimitFault: Equatable, Sendable {
  case entries(Int)
  case bytes(UInt64)
  case attributes
  /// Of all entries together, in bytes.
  case totalAttributes(Int)
  case totalNames(Int)
  /// Behind the end of an archive, in bytes.
  case trailing(UInt64)
}

import Glibc
import Host
import Packs

/// What a machine wrote in one write map: a tree in overlayfs's form.
package struct WrittenTree: Sendable {
  /// Absolute.
  package let guest: [UInt8]
  package let host: [UInt8]
  private let isRecorded: Bool

  /// - Parameters:
  ///   - guest: where it is in the machine's tree.
  ///   - host: the directory.
  ///   - isRecorded: whether owners are kept as they are without root.
  package init(guest: [UInt8], host: [UInt8], isRecorded: Bool = geteuid() != 0) {
    self.guest = guest
    self.host = host
    self.isRecorded = isRecorded
  }

  /// All that is in it, a directory before its content, and some of what lies too deep. Files are not read: their digests say
  /// nothing.
  func entries() throws(ChangesError) -> (entries: [PackEntry], tooLong: [[UInt8]]) {
    do throws(PackError) {
      var source = DirectorySource(host, patterns: try PathPatterns(), isRecorded: isRecorded)
      source.readsFiles = false
      return try source.entriesOfShortPaths()
    } catch {
      throw .written(error)
    }
  }

  /// The guest's path of an entry.
  func path(_ entry: [UInt8]) -> [UInt8] {
    if entry.isEmpty { return guest }
    return (guest.last == UInt8(ascii: "/") ? guest : guest + [UInt8(ascii: "/")]) + entry
  }

  /// The path of an entry, from the guest's.
  func entry(_ path: [UInt8]) -> [UInt8]? {
    if path == guest { return [] }
    let prefix = guest.last == UInt8(ascii: "/") ? guest : guest + [UInt8(ascii: "/")]
    return path.starts(with: prefix) ? Array(path.dropFirst(prefix.count)) : nil
  }

  /// Opens a regular file for reading.
  func open(_ entry: [UInt8]) throws(Errno) -> FileDescriptor {
    let root = try FileDescriptor.open(Path(host), OpenFlags.directoryPath)
    let path = entry + [0]
    return try FileCalls.openRegular(root.raw, path.span, OpenFlags.read)
  }
}

import Glibc
import Host

/// A tar archive, such as a layer of a container image, as entries of a pack.
///
/// Whiteouts may have the form of the OCI image specification (`.wh.NAME`, `.wh..wh..opq`) or of overlayfs (a character
/// device 0:0, `trusted.overlay.opaque`). Nothing of an archive is written under a name of its own before all of it has
/// been read and found to be a tree.
package struct ArchiveSource {
  /// For errors.
  package let path: [UInt8]
  package var patterns: PathPatterns
  /// What the file is to be.
  package var digest: Digest?

  package init(_ path: [UInt8], patterns: PathPatterns, digest: Digest? = nil) {
    self.path = path
    self.patterns = patterns
    self.digest = digest
  }

  /// Takes everything in.
  ///
  /// - Parameters:
  ///   - file: an open file or pipe.
  ///   - progress: called with the number of bytes of the archive so far.
  package func read(
    _ file: Int32, into builder: PackBuilder, progress: @escaping (UInt64) -> Void = { _ in }
  ) throws(PackError) {
    let input = ArchiveInput(file: file, progress: progress)
    let reader = try TarReader(input, path: path)
    var listing = ArchiveListing(archive: path)
    while let header = try reader.next() {
      guard let name = try listing.path(of: header) else { continue }
      if listing.count >= builder.limits.entries {
        throw .limit(source: path, path: header.path, .entries(builder.limits.entries))
      }
      let (room, isOver) = builder.limits.bytes.subtractingReportingOverflow(builder.bytes)
      if isOver || header.size > room {
        throw .limit(source: path, path: header.path, .bytes(builder.limits.bytes))
      }
      let bytes = header.attributes.reduce(0) { $0 + $1.name.count + $1.value.count }
      if bytes > builder.limits.attributeBytes { throw .limit(source: path, path: header.path, .attributes) }
      try listing.add(header, as: name) { () throws(PackError) in
        try builder.add(source: path, header.path) { (buffer) throws(PackError) in try reader.read(into: &buffer) }
      }
    }
    let actual: Digest
    do throws(Errno) {
      actual = try input.finish()
    } catch {
      throw .system(operation: .read, path: path, error)
    }
    if let digest, digest != actual { throw .digest(path: path, expected: digest, actual: actual) }
    builder.entries = listing.entries(patterns)
  }
}

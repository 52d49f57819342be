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
  /// A layer may hold anything, an image too, which is else taken for a mistake.
  package var isLayer = false

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
    try read(ArchiveInput(FileBytes(file, path: path), progress: progress), into: builder)
  }

  /// Takes everything in, from wherever it comes.
  package func read(_ input: ArchiveInput, into builder: PackBuilder) throws(PackError) {
    builder.entries = try entries(input, limits: builder.limits) { (name, read) throws(PackError) in
      try builder.add(source: path, name, read)
    }
  }

  /// Bytes that may follow the end of an archive, decompressed: tar(1) fills up its last block.
  private static let mostBehind: UInt64 = 64 << 20

  /// Reads the data of an entry into a buffer; 0 at the end.
  package typealias Reader = (inout [UInt8]) throws(PackError) -> Int

  /// The tree of an archive in an open file.
  package func entries(
    _ file: Int32, limits: PackLimits, progress: @escaping (UInt64) -> Void = { _ in },
    _ take: ([UInt8], Reader) throws(PackError) -> PackBuilder.Content
  ) throws(PackError) -> [PackEntry] {
    try entries(ArchiveInput(FileBytes(file, path: path), progress: progress), limits: limits, take)
  }

  /// The tree of an archive.
  ///
  /// - Parameter take: gets each file's name in the archive, and its data.
  package func entries(
    _ input: ArchiveInput, limits: PackLimits, _ take: ([UInt8], Reader) throws(PackError) -> PackBuilder.Content
  ) throws(PackError) -> [PackEntry] {
    let reader = try TarReader(input, path: path)
    var listing = ArchiveListing(archive: path)
    var room = limits.bytes
    while let header = try reader.next() {
      // What is passed over is decompressed, too.
      if header.size > room { throw .limit(source: path, path: header.path, .bytes(limits.bytes)) }
      guard let name = try listing.path(of: header) else {
        room -= header.size
        continue
      }
      if listing.count >= limits.entries { throw .limit(source: path, path: header.path, .entries(limits.entries)) }
      if MetadataSize.of(header.attributes) > limits.attributeBytes {
        throw .limit(source: path, path: header.path, .attributes)
      }
      var isTaken = false
      try listing.add(header, as: name) { () throws(PackError) in
        isTaken = true
        let content = try take(header.path) { (buffer) throws(PackError) in try reader.read(into: &buffer) }
        room -= min(room, content.size)
        return content
      }
      if !isTaken { room -= min(room, header.size) }
      if listing.size.attributes > limits.totalAttributeBytes {
        throw .limit(source: path, path: header.path, .totalAttributes(limits.totalAttributeBytes))
      }
      if listing.size.names > limits.totalNameBytes {
        throw .limit(source: path, path: header.path, .totalNames(limits.totalNameBytes))
      }
    }
    guard let actual = try input.finish(atMost: Self.mostBehind) else {
      throw .limit(source: path, path: [], .trailing(Self.mostBehind))
    }
    if let digest, digest != actual { throw .digest(path: path, expected: digest, actual: actual) }
    if !isLayer, listing.isImage { throw .image(path: path) }
    return try listing.entries(patterns)
  }
}

import Glibc
import Host

/// A pack as a tar archive.
package struct ArchiveExport: Equatable, Sendable {
  package enum Compression: String, CaseIterable, Sendable {
    case none, gzip, zstd
  }

  /// How removed names are written.
  package enum Form: String, CaseIterable, Sendable {
    /// As overlayfs has them: character devices 0:0, `trusted.overlay.opaque`.
    case tar
    /// A layer as of the OCI image specification: `.wh.NAME`, `.wh..wh..opq`.
    case layer
  }

  package struct Result: Equatable, Sendable {
    /// Of the archive as it was written.
    package var digest: Digest
    package var size: UInt64
    /// Of the archive before it was compressed: what the OCI image specification calls the layer's diff ID.
    package var diffID: Digest
  }

  package var form: Form
  package var compression: Compression

  package init(form: Form, compression: Compression) {
    self.form = form
    self.compression = compression
  }

  /// Writes a pack's archive to an open file or pipe; the same pack always as the same bytes.
  ///
  /// Each file is compared with its digest on the way.
  ///
  /// - Parameters:
  ///   - path: for errors.
  ///   - progress: called with the number of entries so far.
  package func write(
    _ pack: Pack, _ manifest: Manifest, to file: Int32, path: [UInt8], progress: (Int) -> Void = { _ in }
  ) throws(PackError) -> Result {
    let keepsNanoseconds = manifest.entries.contains { $0.modified.nanoseconds != 0 }
    let output = ArchiveOutput(file: file)
    let archive = try TarWriter(output, compression: compression, keepsNanoseconds: keepsNanoseconds, path: path)
    // Once more, for the digest of what is compressed.
    let plainOutput = ArchiveOutput(file: nil)
    let plain =
      compression == .none
      ? nil : try TarWriter(plainOutput, compression: .none, keepsNanoseconds: keepsNanoseconds, path: path)
    let writers = [archive] + (plain.map { [$0] } ?? [])
    let root = try Names.directory(pack.tree)
    var linked: [[UInt8]: PackEntry] = [:]
    for entry in manifest.entries {
      if case .link(let target) = entry.kind { linked[target] = entry }
    }
    for (index, entry) in manifest.entries.enumerated() {
      var entry = entry
      if linked[entry.path] != nil { linked[entry.path] = entry }
      // Who unpacks it gives the file what the header of its last name says.
      if case .link(let target) = entry.kind, let file = linked[target] {
        (entry.mode, entry.uid, entry.gid, entry.modified) = (file.mode, file.uid, file.gid, file.modified)
      }
      try write(entry, pack, root.raw, to: writers)
      if index % 64 == 0 { progress(index) }
    }
    for writer in writers { try writer.finish() }
    let digest = output.finish()
    return Result(digest: digest, size: output.count, diffID: plain == nil ? digest : plainOutput.finish())
  }

  private func write(_ entry: PackEntry, _ pack: Pack, _ root: Int32, to writers: [TarWriter]) throws(PackError) {
    let name = entry.name
    if name.starts(with: ArchiveListing.whiteout) {
      throw .unrepresentable(
        path: entry.path, "in an archive its name would hide another; leave it out of the pack (--exclude)")
    }
    for writer in writers { try begin(entry, writer) }
    guard case .file(_, let digest) = entry.kind else { return }
    let path = Array(pack.tree.utf8) + [PackEntry.slash] + entry.path
    let file = try open(root, entry.path, path)
    var hash = SHA256()
    var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
    var offset: UInt64 = 0
    while true {
      let count: Int
      do throws(Errno) {
        count = try FileCalls.read(file.raw, at: offset, into: &buffer)
      } catch {
        throw .system(operation: .read, path: path, error)
      }
      if count == 0 { break }
      offset += UInt64(count)
      hash.update(buffer, count: count)
      for writer in writers { try writer.write(buffer, count: count) }
    }
    guard hash.digest() == digest else {
      throw .damagedPack(pack.name, "\(String(printable: entry.path)) is not what it was")
    }
  }

  private func open(_ root: Int32, _ name: [UInt8], _ path: [UInt8]) throws(PackError) -> FileDescriptor {
    do throws(Errno) {
      let name = name + [0]
      return try FileCalls.openRegular(root, name.span, OpenFlags.read)
    } catch {
      throw .system(operation: .read, path: path, error)
    }
  }

  private func begin(_ entry: PackEntry, _ writer: TarWriter) throws(PackError) {
    switch (entry.kind, form) {
    case (.directory(let isOpaque), _):
      let mark = PackEntry.Attribute(name: Array(MarkName.opaqueTrusted.dropLast()), value: MarkName.yes)
      let marks = isOpaque && form == .tar ? [mark] : []
      let name = entry.path.isEmpty ? Array("./".utf8) : entry.path + [PackEntry.slash]
      try writer.begin(entry, as: name, attributes: entry.attributes + marks)
      if isOpaque, form == .layer {
        let parent = entry.path.isEmpty ? [] : entry.path + [PackEntry.slash]
        let mark = PackEntry(path: [], kind: .file(size: 0, digest: Digest.of([])))
        try writer.begin(mark, as: parent + ArchiveListing.opaque, attributes: [])
      }
    case (.whiteout, .layer):
      let directory = entry.path.dropLast(entry.name.count)
      let mark = PackEntry(path: [], kind: .file(size: 0, digest: Digest.of([])))
      try writer.begin(mark, as: directory + ArchiveListing.whiteout + entry.name, attributes: [])
    default: try writer.begin(entry, as: entry.path, attributes: entry.attributes)
    }
  }
}

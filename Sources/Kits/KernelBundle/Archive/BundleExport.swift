import FoundationEssentials
import Glibc
import Host
import Packs

/// Writes a bundle's archive; the same bundle always as the same bytes.
package struct BundleExport {
  package struct Result: Equatable, Sendable {
    /// Of the archive as it was written.
    package var digest: Digest
    package var size: UInt64
  }

  private let bundle: KernelBundle
  private let writer: TarWriter
  private let progress: (UInt64) -> Void
  private var written: UInt64 = 0

  /// - Parameters:
  ///   - file: an open file or pipe.
  ///   - path: for errors.
  ///   - progress: called with the number of bytes of files so far.
  package static func write(
    _ bundle: KernelBundle, to file: Int32, path: [UInt8], compression: ArchiveExport.Compression,
    progress: @escaping (UInt64) -> Void = { _ in }
  ) throws(KernelBundleError) -> Result {
    let output = ArchiveOutput(file: file)
    let writer = try BundleArchive.attempt { () throws(PackError) in
      try TarWriter(output, compression: compression, keepsNanoseconds: false, path: path)
    }
    var export = BundleExport(bundle: bundle, writer: writer, progress: progress)
    for name in try Files.names(in: bundle.directory) where BundleArchive.isFile(name) { try export.add(file: name) }
    if bundle.modules != nil { try export.add(directory: BundleArchive.modules) }
    try BundleArchive.attempt { () throws(PackError) in try writer.finish() }
    return Result(digest: output.finish(), size: output.count)
  }

  private init(bundle: KernelBundle, writer: TarWriter, progress: @escaping (UInt64) -> Void) {
    self.bundle = bundle
    self.writer = writer
    self.progress = progress
  }

  private mutating func add(directory name: String) throws(KernelBundleError) {
    try begin(name + "/", .directory(isOpaque: false), mode: 0o755)
    for child in try Files.names(in: "\(bundle.directory)/\(name)") {
      let path = "\(name)/\(child)"
      switch Files.kind("\(bundle.directory)/\(path)", followLinks: false) {
      case .directory: try add(directory: path)
      case .file: try add(file: path)
      // Of links a module tree has those to the sources that it was built of, which are not here.
      case .link, .other, nil: break
      }
    }
  }

  private mutating func add(file name: String) throws(KernelBundleError) {
    let path = "\(bundle.directory)/\(name)"
    let file = try Files.open(path, O_RDONLY)
    let size: UInt64
    do throws(Errno) { size = try FileCalls.status(file.raw).length } catch {
      throw .system(operation: .read, path: path, error)
    }
    try begin(name, .file(size: size, digest: Digest.of([])), mode: 0o644)
    var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
    var offset: UInt64 = 0
    while offset < size {
      let count: Int
      do throws(Errno) { count = try FileCalls.read(file.raw, at: offset, into: &buffer) } catch {
        throw .system(operation: .read, path: path, error)
      }
      // Nothing of a bundle shrinks: it is replaced by what is renamed to its name.
      if count == 0 { throw .damagedBundle(path: path) }
      let taken = Int(min(UInt64(count), size - offset))
      let (writer, bytes) = (writer, buffer)
      try BundleArchive.attempt { () throws(PackError) in try writer.write(bytes, count: taken) }
      offset += UInt64(taken)
      written += UInt64(taken)
      progress(written)
    }
  }

  private func begin(_ name: String, _ kind: PackEntry.Kind, mode: UInt32) throws(KernelBundleError) {
    let time = Int64(bundle.description.imported.timeIntervalSince1970)
    let entry = PackEntry(path: [], kind: kind, mode: mode, modified: FileTime(seconds: time, nanoseconds: 0))
    try BundleArchive.attempt { () throws(PackError) in
      try writer.begin(entry, as: Array(name.utf8), attributes: [])
    }
  }
}

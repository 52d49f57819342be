import Glibc
import Host
import Packs

/// Where the files of an image on its way out go, by the paths that its descriptions name them by.
package protocol ImageOutput {
  func write(_ bytes: [UInt8], to path: String) throws(ImageError)
  /// All bytes of a file.
  func write(_ file: borrowing FileDescriptor, size: UInt64, to path: String) throws(ImageError)
  /// Writes what names the images, once the rest is there.
  func finish(index: [UInt8]) throws(ImageError)
}

/// A tar archive, in a file or a pipe; the same files always as the same bytes.
package struct ImageArchiveOutput: ImageOutput {
  private let archive: TarWriter
  private let path: [UInt8]

  /// - Parameter path: for errors.
  package init(_ file: Int32, path: [UInt8]) throws(ImageError) {
    self.path = path
    do throws(PackError) {
      archive = try TarWriter(ArchiveOutput(file: file), compression: .none, keepsNanoseconds: false, path: path)
      for directory in ["blobs/", "blobs/sha256/"] {
        let entry = PackEntry(path: [], kind: .directory(isOpaque: false), mode: 0o755)
        try archive.begin(entry, as: Array(directory.utf8), attributes: [])
      }
    } catch {
      throw .pack(error)
    }
  }

  private func begin(_ name: String, size: UInt64) throws(PackError) {
    let entry = PackEntry(path: [], kind: .file(size: size, digest: Digest.of([])), mode: 0o644)
    try archive.begin(entry, as: Array(name.utf8), attributes: [])
  }

  package func write(_ bytes: [UInt8], to name: String) throws(ImageError) {
    do throws(PackError) {
      try begin(name, size: UInt64(bytes.count))
      try archive.write(bytes, count: bytes.count)
    } catch {
      throw .pack(error)
    }
  }

  package func write(_ file: borrowing FileDescriptor, size: UInt64, to name: String) throws(ImageError) {
    do throws(PackError) {
      try begin(name, size: size)
      var buffer = [UInt8](repeating: 0, count: FileData.blockSize)
      var offset: UInt64 = 0
      while offset < size {
        let count: Int
        do throws(Errno) {
          count = try FileCalls.read(file.raw, at: offset, into: &buffer)
          if count == 0 { throw .inputOutput }
        } catch {
          throw .system(operation: .read, path: path, error)
        }
        try archive.write(buffer, count: count)
        offset += UInt64(count)
      }
    } catch {
      throw .pack(error)
    }
  }

  package func finish(index: [UInt8]) throws(ImageError) {
    try write(index, to: ImageDirectoryOutput.index)
    do throws(PackError) { try archive.finish() } catch { throw .pack(error) }
  }
}

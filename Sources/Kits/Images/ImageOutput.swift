import Glibc
import Host
import Packs

/// Where the files of an image on its way out go, by the paths that its descriptions name them by.
package protocol ImageOutput {
  func write(_ bytes: [UInt8], to path: String) throws(ImageError)
  /// All bytes of a file.
  func write(_ file: borrowing FileDescriptor, size: UInt64, to path: String) throws(ImageError)
  func finish() throws(ImageError)
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

  package func finish() throws(ImageError) {
    do throws(PackError) { try archive.finish() } catch { throw .pack(error) }
  }
}

/// A directory that is made, or has nothing in it.
package struct ImageDirectoryOutput: ImageOutput {
  private let path: String

  package init(_ path: String) throws(ImageError) {
    self.path = path
    do throws(PackError) {
      try Names.makeDirectories(path, mode: 0o755)
      guard try Names.list(path).isEmpty else { throw .system(operation: .create, path: Array(path.utf8), .notEmpty) }
      try Names.makeDirectories("\(path)/blobs/sha256", mode: 0o755)
    } catch {
      throw .pack(error)
    }
  }

  package func write(_ bytes: [UInt8], to name: String) throws(ImageError) {
    do throws(Errno) {
      try create(name).writeAll(bytes)
    } catch {
      throw .system(doing: "write", path: "\(path)/\(name)", error)
    }
  }

  package func write(_ file: borrowing FileDescriptor, size: UInt64, to name: String) throws(ImageError) {
    do throws(Errno) {
      let copy = try create(name)
      try FileData.copy(file.raw, to: copy.raw, length: size)
    } catch {
      throw .system(doing: "write", path: "\(path)/\(name)", error)
    }
  }

  private func create(_ name: String) throws(Errno) -> FileDescriptor {
    try FileDescriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
  }

  package func finish() throws(ImageError) {
    do throws(PackError) { try Names.sync(path) } catch { throw .pack(error) }
  }
}

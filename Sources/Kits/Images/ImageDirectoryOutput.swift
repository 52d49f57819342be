import Glibc
import Host
import Packs

/// A directory that is made, or has nothing in it but blobs that a command left which was killed.
package final class ImageDirectoryOutput: ImageOutput {
  private let path: String
  /// Locked (flock(2)): what another command is at is not left behind.
  private let directory: FileDescriptor
  private let isMade: Bool

  /// What makes a layout of it.
  static let index = "index.json"

  package init(_ path: String) throws(ImageError) {
    self.path = path
    isMade = !Names.exists(path)
    do throws(PackError) {
      try Names.makeDirectories(path, mode: 0o755)
      directory = try Names.directory(path)
      guard flock(directory.raw, LOCK_EX | LOCK_NB) == 0 else {
        throw .system(operation: .lock, path: Array(path.utf8), .current)
      }
      let names = try Names.list(path)
      if names == ["blobs"] { Self.removeBlobs(path) }
      guard try Names.list(path).isEmpty else { throw .system(operation: .create, path: Array(path.utf8), .notEmpty) }
      do throws(PackError) {
        try Names.makeDirectories("\(path)/blobs/sha256", mode: 0o755)
      } catch {
        Self.removeBlobs(path)
        throw error
      }
    } catch {
      throw .pack(error)
    }
  }

  /// Removes what was written, and the directory if it was made: of what is not whole nothing stays in the way.
  package func discard() {
    for name in [Self.index, "manifest.json", "oci-layout"] { _ = unsafe unlink("\(path)/\(name)") }
    Self.removeBlobs(path)
    if isMade { _ = unsafe rmdir(path) }
  }

  /// Removes files whose names are digests, and the directories that are then empty: nothing that is not of a layout.
  private static func removeBlobs(_ path: String) {
    let blobs = "\(path)/blobs/sha256"
    for name in (try? Names.list(blobs)) ?? [] where Digest("sha256:\(name)") != nil {
      _ = unsafe unlink("\(blobs)/\(name)")
    }
    _ = unsafe rmdir(blobs)
    _ = unsafe rmdir("\(path)/blobs")
  }

  package func write(_ bytes: [UInt8], to name: String) throws(ImageError) {
    do throws(Errno) {
      let file = try create(name)
      try file.writeAll(bytes)
      try FileCalls.sync(file.raw, dataOnly: false)
    } catch {
      throw .system(doing: "write", path: "\(path)/\(name)", error)
    }
  }

  package func write(_ file: borrowing FileDescriptor, size: UInt64, to name: String) throws(ImageError) {
    do throws(Errno) {
      let copy = try create(name)
      try FileData.copy(file.raw, to: copy.raw, length: size)
      try FileCalls.sync(copy.raw, dataOnly: false)
    } catch {
      throw .system(doing: "write", path: "\(path)/\(name)", error)
    }
  }

  private func create(_ name: String) throws(Errno) -> FileDescriptor {
    try FileDescriptor.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
  }

  /// The index is on the disk after all that it names.
  package func finish(index: [UInt8]) throws(ImageError) {
    do throws(PackError) {
      for part in ["/blobs/sha256", "/blobs", ""] { try Names.sync(path + part) }
    } catch {
      throw .pack(error)
    }
    try write(index, to: Self.index)
    do throws(PackError) { try Names.sync(path) } catch { throw .pack(error) }
  }
}

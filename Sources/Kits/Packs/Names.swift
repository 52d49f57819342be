import CLinux
import Glibc
import Host

/// Directories of the store, and the names in them.
package enum Names {
  /// Opens a directory of the store's, or of the user's.
  package static func directory(_ path: String) throws(PackError) -> FileDescriptor {
    try directory(Path(path))
  }

  package static func directory(_ path: Path) throws(PackError) -> FileDescriptor {
    do throws(Errno) {
      return try FileDescriptor.open(path, OpenFlags.directory)
    } catch {
      throw .system(operation: .open, path: path.bytes, error)
    }
  }

  /// The names in a directory of the store's, whose names are all text.
  package static func list(_ path: String) throws(PackError) -> [String] {
    let directory = try directory(path)
    do throws(Errno) {
      return try FileCalls.names(directory.raw).map { String(decoding: $0, as: UTF8.self) }
    } catch {
      throw .system(.list, path, error)
    }
  }

  /// Makes a directory and those above it.
  package static func makeDirectories(_ path: String, mode: mode_t = 0o700) throws(PackError) {
    if unsafe mkdir(path, mode) == 0 { return }
    var error = Errno.current
    if error == Errno(ENOENT), let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try makeDirectories(String(path[..<slash]), mode: mode)
      if unsafe mkdir(path, mode) == 0 { return }
      error = .current
    }
    if error != .exists { throw .system(.create, path, error) }
  }

  package static func rename(_ from: String, _ to: String) throws(PackError) {
    guard unsafe Glibc.rename(from, to) == 0 else { throw .system(.rename, to, .current) }
  }

  /// Waits until a directory's names are on the disk.
  package static func sync(_ path: String) throws(PackError) {
    let directory = try directory(path)
    do throws(Errno) {
      try FileCalls.sync(directory.raw, dataOnly: false)
    } catch {
      throw .system(.write, path, error)
    }
  }

  package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  package static func random() -> String {
    let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
  }

  package static func read(_ path: String) throws(PackError) -> [UInt8] {
    do throws(Errno) {
      let file = try FileDescriptor.open(path, O_RDONLY)
      var contents: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 18)
      while true {
        let count = try file.read(into: &buffer)
        if count == 0 { return contents }
        contents += buffer[..<count]
      }
    } catch {
      throw .system(.read, path, error)
    }
  }

  /// Writes a new file and waits until it is on the disk.
  package static func write(_ bytes: [UInt8], to path: String) throws(PackError) {
    do throws(Errno) {
      let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
      try file.writeAll(bytes)
      try FileCalls.sync(file.raw, dataOnly: false)
    } catch {
      throw .system(.write, path, error)
    }
  }
}

import CLinux
import Glibc
import Host

/// File system calls on whole directories, failing with the path that they failed on.
package enum Directories {
  /// Makes a directory and those above it; one that is there already is as good.
  static func make(_ path: String, mode: mode_t) throws(StoreError) {
    if unsafe mkdir(path, mode) == 0 { return }
    switch Errno.current.code {
    case EEXIST:
      return
    case ENOENT:
      let parent = path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)
      guard !parent.isEmpty else { throw .system(operation: .create, path: path, Errno(ENOENT)) }
      try make(String(parent), mode: mode)
      guard unsafe mkdir(path, mode) == 0 || Errno.current == Errno(EEXIST) else {
        throw .system(operation: .create, path: path, .current)
      }
    case let code:
      throw .system(operation: .create, path: path, Errno(code))
    }
  }

  /// A directory of sockets must be the user's own: whoever can connect runs commands in the machine.
  static func requirePrivate(_ path: String) throws(StoreError) {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { throw .system(operation: .open, path: path, .current) }
    guard status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw .untrustedRuntime(path: path)
    }
  }

  /// The names in a directory, without `.` and `..`. Only for directories whose names novm chose.
  package static func names(_ path: String) throws(StoreError) -> [String] {
    guard let stream = unsafe opendir(path) else { throw .system(operation: .list, path: path, .current) }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// A small file's content; nil if it cannot be read.
  static func read(_ path: String) -> [UInt8]? {
    guard let file = try? FileDescriptor.open(path, O_RDONLY) else { return nil }
    var content: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while let count = try? file.read(into: &buffer) {
      if count == 0 { return content }
      content += buffer[..<count]
    }
    return nil
  }

  static func write(_ content: [UInt8], to path: String) throws(StoreError) {
    do throws(Errno) {
      let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
      try file.writeAll(content)
    } catch {
      throw .system(operation: .write, path: path, error)
    }
  }

  /// At every moment there is the old content or the new one.
  static func replace(_ path: String, with content: [UInt8]) throws(StoreError) {
    try write(content, to: "\(path).new")
    guard unsafe Glibc.rename("\(path).new", path) == 0 else {
      throw .system(operation: .rename, path: path, .current)
    }
  }

  static func linkTarget(_ path: String) -> String? {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe bytes.withUnsafeMutableBytes { buffer in
      unsafe readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
    }
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}

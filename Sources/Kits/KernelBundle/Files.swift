import CLinux
import Glibc
import Host

/// File system calls on paths, failing with what was tried on which path.
enum Files {
  enum Kind { case file, directory, link, other }

  @discardableResult
  static func attempt<Result>(
    _ operation: KernelBundleError.Operation, _ path: String, _ body: () throws(Errno) -> Result
  ) throws(KernelBundleError) -> Result {
    do { return try body() } catch { throw .system(operation: operation, path: path, error) }
  }

  static func open(
    _ path: String, _ flags: Int32, mode: UInt32 = 0, for operation: KernelBundleError.Operation = .open
  ) throws(KernelBundleError) -> FileDescriptor {
    do throws(Errno) {
      return try FileDescriptor.open(path, flags, mode: mode)
    } catch {
      throw .system(operation: operation, path: path, error)
    }
  }

  static func read(_ path: String) throws(KernelBundleError) -> [UInt8] {
    try attempt(.read, path) { () throws(Errno) in
      let file = try FileDescriptor.open(path, O_RDONLY)
      var status = stat()
      try checked(unsafe fstat(file.raw, &status))
      switch status.st_mode & S_IFMT {
      case S_IFREG, S_IFIFO: break
      case S_IFDIR: throw Errno(EISDIR)
      // Such as /dev/zero, which has no end.
      default: throw Errno(EINVAL)
      }
      guard status.st_size < Self.sizeLimit else { throw Errno(EFBIG) }
      var contents: [UInt8] = []
      contents.reserveCapacity(Int(status.st_size) + 1)
      // Files of /proc and /sys say 0; the loop, not the size, decides.
      var buffer = [UInt8](repeating: 0, count: max(1 << 12, min(Int(status.st_size) + 1, 1 << 20)))
      while true {
        let count = try file.read(into: &buffer)
        if count == 0 { return contents }
        guard contents.count + count <= Self.sizeLimit else { throw Errno(EFBIG) }
        contents.append(contentsOf: buffer[..<count])
      }
    }
  }

  /// More than any kernel has with all its debugging information.
  private static let sizeLimit = 2 << 30

  static func readText(_ path: String) -> String? {
    (try? read(path)).map { String(decoding: $0, as: UTF8.self) }
  }

  /// Writes a new file and waits until it is on the disk.
  static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o644) throws(KernelBundleError) {
    try attempt(.write, path) { () throws(Errno) in
      let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
      try file.writeAll(bytes)
      try checked(fsync(file.raw))
    }
  }

  /// The same, with holes for blocks of zeros.
  static func writeSparse(_ bytes: [UInt8], to path: String) throws(KernelBundleError) {
    try attempt(.write, path) { () throws(Errno) in
      let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
      try FileCalls.truncate(file.raw, to: UInt64(bytes.count))
      let block = 4096
      var start = 0
      while start < bytes.count {
        var end = min(start + block, bytes.count)
        guard bytes[start..<end].contains(where: { $0 != 0 }) else {
          start = end
          continue
        }
        while end < bytes.count, bytes[end..<min(end + block, bytes.count)].contains(where: { $0 != 0 }) {
          end = min(end + block, bytes.count)
        }
        try checked(lseek(file.raw, start, SEEK_SET))
        try file.writeAll(Array(bytes[start..<end]))
        start = end
      }
      try checked(fsync(file.raw))
    }
  }

  /// Writes beside `path` and renames over it: a reader sees the old file or the new one.
  static func replace(_ path: String, with bytes: [UInt8]) throws(KernelBundleError) {
    let temporary = "\(path).\(getpid()).new"
    do throws(KernelBundleError) {
      try write(bytes, to: temporary)
      try rename(temporary, path)
    } catch {
      _ = unsafe unlink(temporary)
      throw error
    }
  }

  static func rename(_ from: String, _ to: String) throws(KernelBundleError) {
    try attempt(.rename, to) { () throws(Errno) in try checked(unsafe Glibc.rename(from, to)) }
  }

  /// Puts the directory at `from` in the place of the one at `to`, which must exist, and the other way around.
  static func exchange(_ from: String, _ to: String) throws(KernelBundleError) {
    try attempt(.rename, to) { () throws(Errno) in
      try checked(unsafe clinux_renameat2(AT_FDCWD, from, AT_FDCWD, to, UInt32(clinux_RENAME_EXCHANGE)))
    }
  }

  static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  static func kind(_ path: String, followLinks: Bool = true) -> Kind? {
    var status = stat()
    let result = unsafe followLinks ? stat(path, &status) : lstat(path, &status)
    guard result == 0 else { return nil }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .directory
    case S_IFLNK: return .link
    default: return .other
    }
  }

  static func size(_ path: String) -> Int? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  /// Tells a file from what was or will be at its path: size, time of change, and number.
  static func stamp(_ path: String) throws(KernelBundleError) -> String {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw .system(operation: .open, path: path, .current) }
    return "\(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec) \(status.st_dev):\(status.st_ino)\n"
  }

  /// Bytes of all regular files beneath a directory.
  static func treeSize(_ path: String) throws(KernelBundleError) -> Int {
    var total = 0
    // A list of its own, here and below: who made the tree may have made it deeper than a stack.
    var pending = [path]
    while let directory = pending.popLast() {
      for name in try names(in: directory) {
        let entry = "\(directory)/\(name)"
        switch kind(entry, followLinks: false) {
        case .directory: pending.append(entry)
        case .file: total += size(entry) ?? 0
        case .link, .other, nil: break
        }
      }
    }
    return total
  }

  /// Makes a directory and those above it.
  static func makeDirectories(_ path: String) throws(KernelBundleError) {
    if kind(path) == .directory { return }
    try attempt(.create, path) { () throws(Errno) in
      let bytes = Array(path.utf8)
      guard bytes.count < Int(PATH_MAX) else { throw .nameTooLong }
      for end in bytes.indices.dropFirst() where bytes[end] == UInt8(ascii: "/") || end == bytes.count - 1 {
        let length = end == bytes.count - 1 ? bytes.count : end
        let above = String(decoding: bytes[..<length], as: UTF8.self)
        if unsafe mkdir(above, 0o755) == 0 { continue }
        let error = Errno.current
        // One that is there may be in a directory that cannot be written.
        if error != .exists, kind(above) != .directory { throw error }
      }
    }
    guard kind(path) == .directory else { throw .system(operation: .create, path: path, Errno(ENOTDIR)) }
  }

  /// The names in a directory, sorted, without `.` and `..`.
  static func names(in path: String) throws(KernelBundleError) -> [String] {
    guard let directory = unsafe opendir(path) else {
      throw .system(operation: .list, path: path, .current)
    }
    defer { unsafe closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  static func linkTarget(_ path: String) throws(KernelBundleError) -> String {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = try attempt(.read, path) { () throws(Errno) in
      try checked(
        unsafe buffer.withUnsafeMutableBytes {
          unsafe readlink(path, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        })
    }
    return String(decoding: buffer[..<count], as: UTF8.self)
  }

  static func makeLink(_ path: String, to target: String) throws(KernelBundleError) {
    try attempt(.create, path) { () throws(Errno) in try checked(unsafe symlink(target, path)) }
  }

  /// Gives a file a further name.
  static func link(_ file: String, _ name: String) throws(KernelBundleError) {
    try attempt(.create, name) { () throws(Errno) in try checked(unsafe Glibc.link(file, name)) }
  }

  /// Copies a regular file; where the file system can, it shares the blocks until one of the two is written.
  static func copy(_ from: String, _ to: String) throws(KernelBundleError) {
    try attempt(.copy, from) { () throws(Errno) in
      let place = try FileDescriptor.open(from, OpenFlags.path)
      let itself = FileCalls.itself
      let source = try FileCalls.openRegular(place.raw, itself.span, O_RDONLY)
      let target = try FileDescriptor.open(to, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
      if clinux_ioctl(target.raw, UInt(clinux_FICLONE), UInt(source.raw)) == 0 { return }
      var buffer = [UInt8](repeating: 0, count: 1 << 18)
      while true {
        let count = try source.read(into: &buffer)
        if count == 0 { return }
        try target.writeAll(count == buffer.count ? buffer : Array(buffer[..<count]))
      }
    }
  }

  /// Copies directories, regular files and links, and nothing else; `each` is called for every file.
  static func copyTree(_ from: String, _ to: String, each: () -> Void) throws(KernelBundleError) {
    var pending = [(from, to)]
    while let (from, to) = pending.popLast() {
      try makeDirectories(to)
      for name in try names(in: from) {
        let (source, target) = ("\(from)/\(name)", "\(to)/\(name)")
        switch kind(source, followLinks: false) {
        case .directory: pending.append((source, target))
        case .link: try makeLink(target, to: try linkTarget(source))
        case .file:
          try copy(source, target)
          each()
        case .other, nil: break
        }
      }
    }
  }

  /// Removes a file, or a directory with all in it; what is not there is not an error.
  static func removeTree(_ path: String) throws(KernelBundleError) {
    try attempt(.remove, path) { () throws(Errno) in
      try DirectoryRemoval.remove(path: Path(path), isForced: false)
    }
  }
}

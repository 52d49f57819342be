import CGuest

/// Paths and what they name.
enum Files {
  /// The whole file, if it has no more than `limit` bytes; what is beyond them is left out.
  static func contents(_ path: Bytes, limit: Int = 1 << 20) throws(SystemError) -> Bytes {
    let file = try Descriptor.open(path, O_RDONLY)
    var contents: Bytes = []
    while contents.count < limit {
      guard try file.read(into: &contents, limit: limit - contents.count) > 0 else { break }
    }
    return contents
  }

  /// mkdir(2); an existing directory is as good.
  static func makeDirectory(_ path: Bytes, mode: UInt32 = 0o755) throws(SystemError) {
    do throws(SystemError) {
      try check(unsafe path.withCString { unsafe mkdir($0, mode) })
    } catch {
      if error != .exists { throw error }
    }
  }

  /// chmod(2), which unlike mkdir(2) is not subject to the umask.
  static func setMode(_ path: Bytes, _ mode: UInt32) throws(SystemError) {
    try check(unsafe path.withCString { unsafe chmod($0, mode) })
  }

  /// symlink(2); whatever has the name already stays.
  static func makeSymlink(_ path: Bytes, to target: Bytes) throws(SystemError) {
    let result = unsafe target.withCString { target in
      unsafe path.withCString { unsafe symlink(target, $0) }
    }
    do throws(SystemError) { try check(result) } catch {
      if error != .exists { throw error }
    }
  }

  /// readlink(2); nil for what is no symbolic link.
  static func linkTarget(_ path: Bytes) -> Bytes? {
    var target = Bytes(repeating: 0, count: 4096)
    let count = unsafe path.withCString { path in
      unsafe target.withUnsafeMutableBufferPointer { buffer in
        unsafe buffer.withMemoryRebound(to: CChar.self) { unsafe readlink(path, $0.baseAddress, $0.count) }
      }
    }
    return count > 0 ? Bytes(target[..<count]) : nil
  }

  /// unlink(2), for what may be gone already.
  static func remove(_ path: Bytes) {
    _ = unsafe path.withCString { unsafe unlink($0) }
  }

  /// readdir(3): the names in a directory, without `.` and `..`, in no order.
  static func names(_ path: Bytes) throws(SystemError) -> [Bytes] {
    guard let stream = unsafe path.withCString({ unsafe opendir($0) }) else { throw .last }
    defer { unsafe closedir(stream) }
    var names: [Bytes] = []
    while let entry = unsafe readdir(stream) {
      // The kernel ends a name with a NUL within its field.
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Bytes($0.prefix { $0 != 0 }) }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// fstat(2)
  static func status(_ file: borrowing Descriptor) throws(SystemError) -> stat {
    var status = stat()
    try check(unsafe fstat(file.number, &status))
    return status
  }

  static func isDirectory(_ path: Bytes) -> Bool {
    var status = stat()
    guard unsafe path.withCString({ unsafe stat($0, &status) }) == 0 else { return false }
    return status.st_mode & UInt32(S_IFMT) == UInt32(S_IFDIR)
  }

  static func exists(_ path: Bytes) -> Bool {
    unsafe path.withCString { unsafe access($0, F_OK) } == 0
  }

  /// chdir(2)
  static func changeDirectory(_ path: Bytes) throws(SystemError) {
    try check(unsafe path.withCString { unsafe chdir($0) })
  }

  /// chroot(2)
  static func changeRoot(_ path: Bytes) throws(SystemError) {
    try check(unsafe path.withCString { unsafe chroot($0) })
  }
}

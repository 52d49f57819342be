import CLinux
import Glibc
import Host

/// Removes a whole tree whose names and modes a guest chose.
///
/// Works on open directories, never follows a link, takes names as bytes, is as deep as the tree is without using the
/// stack for it, and does not mind another process removing the same tree at the same time.
package enum TreeRemoval {
  package static func remove(_ path: String) throws(StoreError) {
    do throws(Errno) {
      try remove(path, in: AT_FDCWD)
    } catch Errno(ENOENT) {
      return
    } catch {
      throw .system(operation: .remove, path: path, error)
    }
  }

  private static func remove(_ path: String, in parent: Int32) throws(Errno) {
    let top = path.utf8CString.map { UInt8(bitPattern: $0) }
    // The directories from the top down to the one being emptied. What would nest deeper than descriptors should be held
    // open for is moved to the top first.
    var open: [(descriptor: Int32, name: [UInt8])] = []
    defer { for level in open { close(level.descriptor) } }
    guard let first = try openDirectory(top, in: parent) else {
      try unlink(top, in: parent, flags: 0)
      return
    }
    open.append((first, top))
    while let level = open.last {
      if let child = try emptyOfFiles(level.descriptor) {
        if open.count == openLimit {
          try hoist(child, from: level.descriptor, to: first)
          continue
        }
        if let descriptor = try openDirectory(child, in: level.descriptor) { open.append((descriptor, child)) }
        continue
      }
      open.removeLast()
      close(level.descriptor)
      let above = open.last?.descriptor ?? parent
      try unlink(level.name, in: above, flags: AT_REMOVEDIR)
    }
  }

  private static let openLimit = 200

  /// Removes all but directories.
  ///
  /// - Returns: the name of the first directory found, NUL-terminated.
  private static func emptyOfFiles(_ directory: Int32) throws(Errno) -> [UInt8]? {
    let copy = try checked(unsafe openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    guard let stream = unsafe fdopendir(copy) else {
      let error = Errno.current
      close(copy)
      throw error
    }
    defer { unsafe closedir(stream) }
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: UInt8.self, capacity: 256) { bytes in
          unsafe [UInt8](
            UnsafeBufferPointer(start: bytes, count: strlen(UnsafePointer<CChar>(OpaquePointer(bytes))) + 1))
        }
      }
      if name == [0x2e, 0] || name == [0x2e, 0x2e, 0] { continue }
      do throws(Errno) {
        try unlink(name, in: directory, flags: 0)
      } catch {
        // POSIX has EPERM for unlinking a directory, Linux EISDIR.
        if error == Errno(EISDIR) || error == Errno(EPERM) && isDirectory(name, in: directory) { return name }
        throw error
      }
    }
    return nil
  }

  private static func isDirectory(_ name: [UInt8], in directory: Int32) -> Bool {
    var status = stat()
    let result = unsafe name.withUnsafeBytes { bytes in
      unsafe fstatat(directory, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), &status, AT_SYMLINK_NOFOLLOW)
    }
    return result == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func unlink(_ name: [UInt8], in directory: Int32, flags: Int32) throws(Errno) {
    for isSecond in [false, true] {
      let result = unsafe name.withUnsafeBytes { bytes in
        unsafe unlinkat(directory, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), flags)
      }
      let error = Errno.current
      if result == 0 || error == Errno(ENOENT) { return }
      guard error == Errno(EPERM), !isSecond, directory != AT_FDCWD else { throw error }
      unlock(name, in: directory)
    }
  }

  /// Takes off the flags, immutable and append-only, by which a guest may have kept a name from being removed.
  private static func unlock(_ name: [UInt8], in directory: Int32) {
    clearLock(directory)
    let descriptor = unsafe name.withUnsafeBytes { bytes -> Int32 in
      let name = unsafe bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
      var status = stat()
      guard unsafe fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0,
        [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
      else { return -1 }
      return unsafe openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    }
    guard descriptor >= 0 else { return }
    clearLock(descriptor)
    close(descriptor)
  }

  private static func clearLock(_ descriptor: Int32) {
    guard let flags = try? InodeFlags.get(descriptor), flags & InodeFlags.locked != 0 else { return }
    try? InodeFlags.set(descriptor, flags & ~InodeFlags.locked)
  }

  /// Opens a directory, making it accessible first where the guest had taken its owner's rights away.
  ///
  /// - Returns: nil for what is not a directory or no longer there.
  private static func openDirectory(_ name: [UInt8], in parent: Int32) throws(Errno) -> Int32? {
    let descriptor = unsafe name.withUnsafeBytes { bytes in
      let name = unsafe bytes.baseAddress!.assumingMemoryBound(to: CChar.self)
      var status = stat()
      guard unsafe fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return Int32(-1) }
      if status.st_mode & S_IFMT == S_IFDIR, status.st_mode & 0o700 != 0o700 {
        _ = unsafe fchmodat(parent, name, status.st_mode & 0o7777 | 0o700, 0)
      }
      return unsafe openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    }
    if descriptor >= 0 { return descriptor }
    let error = Errno.current
    if [ENOENT, ENOTDIR, ELOOP].contains(error.code) { return nil }
    throw error
  }

  /// Moves a directory up under a name of its own.
  private static func hoist(_ name: [UInt8], from directory: Int32, to top: Int32) throws(Errno) {
    let hoisted = ".novm-\(UInt64.random(in: 0 ... .max))"
    let result = unsafe name.withUnsafeBytes { bytes in
      unsafe renameat(directory, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), top, hoisted)
    }
    if result != 0 && Errno.current != Errno(ENOENT) { throw .current }
  }
}

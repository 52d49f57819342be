import CLinux
import Glibc

/// File system calls on a name in an open directory.
///
/// Everywhere `directory` is an open descriptor and `name` one path component with its NUL (`Span` so that names need not
/// be strings); a name that is only the NUL means the descriptor itself. Symlinks are never followed.
package enum FileCalls {
  /// The empty name.
  package static let itself: [UInt8] = [0]

  @inline(__always)
  private static func path<Result>(_ name: Span<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
    // Every caller passes a NUL within the span; a name without one is a bug worth stopping at.
    precondition(name.count > 0 && name[name.count - 1] == 0)
    return unsafe name.withUnsafeBytes { unsafe body($0.assumingMemoryBound(to: CChar.self).baseAddress!) }
  }

  // MARK: Opening

  /// openat2(2) with RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS.
  ///
  /// - Parameters:
  ///   - path: relative, of any number of components.
  ///   - mode: permissions of a new file.
  package static func openBeneath(
    _ directory: Int32, _ path: Span<UInt8>, _ flags: Int32, mode: UInt32 = 0
  ) throws(Errno) -> FileDescriptor {
    // openat2 refuses flags that mean nothing together.
    let terminal = flags & OpenFlags.path != 0 ? 0 : O_NOCTTY
    let flags = UInt64(UInt32(bitPattern: flags | O_CLOEXEC | O_NOFOLLOW | terminal))
    return FileDescriptor(
      owning: try checked(
        unsafe self.path(path) { unsafe clinux_open_beneath(directory, $0, flags, UInt64(mode)) }))
  }

  /// Opens again what `descriptor` (often an O_PATH one) is open on, with other flags. Needs `/proc`.
  package static func reopen(_ descriptor: Int32, _ flags: Int32) throws(Errno) -> FileDescriptor {
    let link = DescriptorPath(descriptor, FileCalls.itself.span)
    return FileDescriptor(
      owning: try checked(unsafe link.withPath { unsafe clinux_open($0, flags | O_CLOEXEC | O_NOCTTY, 0) }))
  }

  /// Opens a regular file, looked at before it is opened: what else has the name, or comes to have it, never is.
  ///
  /// - Parameters:
  ///   - path: as for `openBeneath`; the empty one for what `directory` itself is open on.
  ///   - isIt: whether it is the file that is meant.
  /// - Throws: `stale` for anything else.
  package static func openRegular(
    _ directory: Int32, _ path: Span<UInt8>, _ flags: Int32, _ isIt: (FileStatus) -> Bool = { _ in true }
  ) throws(Errno) -> FileDescriptor {
    if path.count == 1 { return try reopenRegular(directory, flags, isIt) }
    let place = try openBeneath(directory, path, OpenFlags.path)
    return try reopenRegular(place.raw, flags, isIt)
  }

  private static func reopenRegular(
    _ place: Int32, _ flags: Int32, _ isIt: (FileStatus) -> Bool
  ) throws(Errno) -> FileDescriptor {
    let status = try status(place)
    guard status.isRegular, isIt(status) else { throw .stale }
    return try reopen(place, flags)
  }

  // MARK: Asking

  /// statx(2).
  package static func status(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) -> FileStatus {
    var status = statx()
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    let mask = UInt32(clinux_STATX_BASIC_STATS | clinux_STATX_BTIME)
    try checked(
      unsafe path(name) { unsafe clinux_statx(directory, $0, flags, mask, &status) })
    var result = FileStatus(status)
    if result.isSymlink, result.length == UInt64(whiteoutTarget.count - 1),
      let target = try? readLink(directory, name), target + [0] == whiteoutTarget, isOverlayfs(directory)
    {
      result.becomeWhiteout()
    }
    return result
  }

  package static func status(_ descriptor: Int32) throws(Errno) -> FileStatus {
    try status(descriptor, itself.span)
  }

  /// readlinkat(2).
  package static func readLink(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) -> [UInt8] {
    try unsafe bytes(capacity: 4096) { buffer in
      let target = unsafe UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self)
      return unsafe path(name) { unsafe readlinkat(directory, $0, target, buffer.count) }
    }
  }

  /// fstatfs(2).
  package static func fileSystem(_ descriptor: Int32) throws(Errno) -> statfs {
    var result = statfs()
    try checked(unsafe clinux_fstatfs(descriptor, &result))
    return result
  }

  /// access(2): whether files can be made in a directory, or a file can be written. Needs `/proc`.
  package static func checkWritable(_ descriptor: Int32, isDirectory: Bool = true) throws(Errno) {
    let link = DescriptorPath(descriptor, itself.span)
    try checked(unsafe link.withPath { unsafe access($0, isDirectory ? W_OK | X_OK : W_OK) })
  }

  // MARK: Names

  /// The names in an open directory, sorted, without `.` and `..`, and without a NUL.
  package static func names(_ directory: Int32) throws(Errno) -> [[UInt8]] {
    var names: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    try seekDirectory(directory, to: 0)
    _ = try eachName(directory, &buffer) { (name, _) throws(Errno) in
      names.append(name.dropLast())
      return true
    }
    return names.sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Reads names of a directory from its position on, without `.` and `..`.
  ///
  /// - Parameters:
  ///   - buffer: for the kernel to fill.
  ///   - body: gets each with its NUL, and its DT_* as in readdir(3); false ends it.
  /// - Returns: whether it came to the end.
  package static func eachName(
    _ directory: Int32, _ buffer: inout [UInt8], _ body: ([UInt8], UInt8) throws(Errno) -> Bool
  ) throws(Errno) -> Bool {
    while true {
      let count = try directoryEntries(directory, into: &buffer)
      if count == 0 { return true }
      var position = 0
      // struct linux_dirent64: inode 8, offset 8, length 2, type 1, name with its NUL.
      while position + 20 <= count {
        let length = Int(buffer[position + 16]) | Int(buffer[position + 17]) << 8
        guard length >= 20, position + length <= count else { throw .inputOutput }
        let type = buffer[position + 18]
        let name = buffer[(position + 19)..<(position + length)].prefix { $0 != 0 } + [0]
        position += length
        if name.elementsEqual([0x2e, 0]) || name.elementsEqual([0x2e, 0x2e, 0]) { continue }
        if try !body(Array(name), type) { return false }
      }
    }
  }

  /// DT_DIR.
  package static let directoryType: UInt8 = 4

  package static func makeDirectory(_ directory: Int32, _ name: Span<UInt8>, mode: UInt32) throws(Errno) {
    try checked(unsafe path(name) { unsafe mkdirat(directory, $0, mode) })
  }

  /// mknodat(2).
  package static func makeNode(
    _ directory: Int32, _ name: Span<UInt8>, mode: UInt32, major: UInt32, minor: UInt32
  ) throws(Errno) {
    let (major, minor) = (UInt(major), UInt(minor))
    let device = (major & 0xfff) << 8 | (major & ~0xfff) << 32 | (minor & 0xff) | (minor & ~0xff) << 12
    try checked(unsafe path(name) { unsafe mknodat(directory, $0, mode, device) })
  }

  /// overlayfs's whiteout, which needs no privilege since Linux 5.8. On an overlayfs, which keeps them for itself, a symlink of
  /// ours; `status` shows both as the same.
  package static func makeWhiteout(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) {
    do throws(Errno) {
      try makeNode(directory, name, mode: FileType.characterDevice, major: 0, minor: 0)
    } catch {
      guard error == .notPermitted, isOverlayfs(directory) else { throw error }
      try makeLink(directory, name, whiteoutTarget)
    }
  }

  private static let whiteoutTarget = [UInt8]("(novm-whiteout)\0".utf8)

  package static func isOverlayfs(_ descriptor: Int32) -> Bool {
    // OVERLAYFS_SUPER_MAGIC (linux/magic.h)
    (try? fileSystem(descriptor))?.f_type == 0x794c_7630
  }

  /// - Parameter target: with its NUL.
  /// - Throws: EPERM, too, for what would be a whiteout.
  package static func makeSymlink(
    _ directory: Int32, _ name: Span<UInt8>, target: [UInt8]
  ) throws(Errno) {
    if target == whiteoutTarget, isOverlayfs(directory) { throw .notPermitted }
    try makeLink(directory, name, target)
  }

  private static func makeLink(_ directory: Int32, _ name: Span<UInt8>, _ target: [UInt8]) throws(Errno) {
    try checked(
      unsafe path(target.span) { target in unsafe path(name) { unsafe symlinkat(target, directory, $0) } })
  }

  package static func remove(_ directory: Int32, _ name: Span<UInt8>, isDirectory: Bool) throws(Errno) {
    try checked(unsafe path(name) { unsafe unlinkat(directory, $0, isDirectory ? AT_REMOVEDIR : 0) })
  }

  /// renameat2(2).
  package static func rename(
    _ oldDirectory: Int32, _ oldName: Span<UInt8>, to newDirectory: Int32, _ newName: Span<UInt8>,
    _ flags: RenameFlags = []
  ) throws(Errno) {
    try checked(
      unsafe path(oldName) { old in
        unsafe path(newName) { unsafe clinux_renameat2(oldDirectory, old, newDirectory, $0, flags.rawValue) }
      })
  }

  /// linkat(2). The empty name for the old one needs `/proc`.
  package static func link(
    _ oldDirectory: Int32, _ oldName: Span<UInt8>, to newDirectory: Int32, _ newName: Span<UInt8>
  ) throws(Errno) {
    try checked(
      unsafe path(newName) { new in
        if oldName.count == 1 {
          let link = DescriptorPath(oldDirectory, oldName)
          return unsafe link.withPath { unsafe linkat(AT_FDCWD, $0, newDirectory, new, AT_SYMLINK_FOLLOW) }
        }
        return unsafe path(oldName) { unsafe linkat(oldDirectory, $0, newDirectory, new, 0) }
      })
  }

  // MARK: Attributes

  /// fchownat(2); `UInt32.max` keeps an id.
  package static func changeOwner(
    _ directory: Int32, _ name: Span<UInt8>, uid: UInt32, gid: UInt32
  ) throws(Errno) {
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    try checked(unsafe path(name) { unsafe fchownat(directory, $0, uid, gid, flags) })
  }

  /// fchmodat2(2), or before Linux 6.6 chmod(2) of what was opened first.
  ///
  /// - Throws: EOPNOTSUPP for symlinks.
  package static func changeMode(_ directory: Int32, _ name: Span<UInt8>, _ mode: UInt32) throws(Errno) {
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    do {
      try checked(unsafe path(name) { unsafe clinux_chmod_no_follow(directory, $0, mode, flags) })
    } catch {
      guard error == Errno(ENOSYS) else { throw error }
      try changeModeByDescriptor(directory, name, mode)
    }
  }

  /// chmod(2) follows a symlink at the end of `/proc/self/fd/N/NAME`, which whoever else writes the directory may have put there
  /// since anybody looked. The path of a descriptor leads to what it is open on, and nowhere else.
  private static func changeModeByDescriptor(
    _ directory: Int32, _ name: Span<UInt8>, _ mode: UInt32
  ) throws(Errno) {
    if name.count > 1 {
      let file = try openBeneath(directory, name, OpenFlags.path)
      return try changeModeByDescriptor(file.raw, itself.span, mode)
    }
    // Some file systems would do it to symlinks.
    if try status(directory).isSymlink { throw .notSupported }
    let link = DescriptorPath(directory, name)
    try checked(unsafe link.withPath { unsafe chmod($0, mode) })
  }

  /// utimensat(2).
  package static func changeTimes(
    _ directory: Int32, _ name: Span<UInt8>, accessed: TimeChange, modified: TimeChange
  ) throws(Errno) {
    let flags = Int32(clinux_AT_EMPTY_PATH) | AT_SYMLINK_NOFOLLOW
    var times = (accessed.raw, modified.raw)
    try checked(
      unsafe path(name) { path in
        unsafe withUnsafePointer(to: &times) {
          unsafe $0.withMemoryRebound(to: timespec.self, capacity: 2) {
            unsafe utimensat(directory, path, $0, flags)
          }
        }
      })
  }

  package static func changeTimes(
    _ descriptor: Int32, accessed: TimeChange, modified: TimeChange
  ) throws(Errno) {
    try changeTimes(descriptor, itself.span, accessed: accessed, modified: modified)
  }

  // MARK: Extended attributes

  /// lgetxattr(2); nil where there is no such attribute, or no attributes at all.
  package static func attribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8]
  ) throws(Errno) -> [UInt8]? {
    do {
      return try unsafe bytes(capacity: 256) {
        unsafe getAttribute(directory, name, attribute, $0)
      }
    } catch {
      if error == Errno(ERANGE) {
        return try unsafe bytes(capacity: 65536) {
          unsafe getAttribute(directory, name, attribute, $0)
        }
      }
      if error == Errno(ENODATA) || error == Errno(EOPNOTSUPP) { return nil }
      throw error
    }
  }

  /// lgetxattr(2) into a fixed buffer; nil where there is none, or it does not fit. Allocates nothing.
  package static func shortAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8], into buffer: inout InlineArray<128, UInt8>
  ) -> Int? {
    var span = buffer.mutableSpan
    let result = unsafe span.withUnsafeMutableBufferPointer { unsafe getAttribute(directory, name, attribute, $0) }
    return result < 0 ? nil : result
  }

  /// Whether there is an attribute, however long.
  package static func hasAttribute(_ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8]) -> Bool {
    var nothing = InlineArray<1, UInt8>(repeating: 0)
    var span = nothing.mutableSpan
    let result = unsafe span.withUnsafeMutableBufferPointer {
      // A length of 0 asks for the attribute's.
      unsafe getAttribute(directory, name, attribute, UnsafeMutableBufferPointer(rebasing: $0[..<0]))
    }
    return result >= 0
  }

  private static func getAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8], _ buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    let link = DescriptorPath(directory, name)
    return unsafe path(attribute.span) { attribute in
      unsafe link.withPath { path in
        unsafe name.count == 1
          ? getxattr(path, attribute, buffer.baseAddress!, buffer.count)
          : lgetxattr(path, attribute, buffer.baseAddress!, buffer.count)
      }
    }
  }

  /// lsetxattr(2).
  package static func setAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8], _ value: [UInt8], flags: Int32 = 0
  ) throws(Errno) {
    let link = DescriptorPath(directory, name)
    try checked(
      unsafe path(attribute.span) { attribute in
        unsafe value.withUnsafeBytes { value in
          unsafe link.withPath { path in
            unsafe name.count == 1
              ? setxattr(path, attribute, value.baseAddress, value.count, flags)
              : lsetxattr(path, attribute, value.baseAddress, value.count, flags)
          }
        }
      })
  }

  /// lremovexattr(2).
  package static func removeAttribute(
    _ directory: Int32, _ name: Span<UInt8>, _ attribute: [UInt8]
  ) throws(Errno) {
    let link = DescriptorPath(directory, name)
    try checked(
      unsafe path(attribute.span) { attribute in
        unsafe link.withPath {
          unsafe name.count == 1 ? removexattr($0, attribute) : lremovexattr($0, attribute)
        }
      })
  }

  package static func attributeNames(_ descriptor: Int32) throws(Errno) -> [UInt8] {
    try attributeNames(descriptor, itself.span)
  }

  /// llistxattr(2): the names, each with its NUL; empty where the file system has no attributes.
  package static func attributeNames(_ directory: Int32, _ name: Span<UInt8>) throws(Errno) -> [UInt8] {
    do {
      return try unsafe bytes(capacity: 1024) { unsafe listAttributes(directory, name, $0) }
    } catch {
      if error == Errno(ERANGE) {
        return try unsafe bytes(capacity: 65536) { unsafe listAttributes(directory, name, $0) }
      }
      if error == Errno(EOPNOTSUPP) { return [] }
      throw error
    }
  }

  private static func listAttributes(
    _ directory: Int32, _ name: Span<UInt8>, _ buffer: UnsafeMutableBufferPointer<UInt8>
  ) -> Int {
    let link = DescriptorPath(directory, name)
    let list = unsafe UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self)
    return unsafe link.withPath {
      unsafe name.count == 1 ? listxattr($0, list, buffer.count) : llistxattr($0, list, buffer.count)
    }
  }

  /// The bytes that a call leaves in a buffer, whose length it returns.
  private static func bytes(
    capacity: Int, _ call: (UnsafeMutableBufferPointer<UInt8>) -> Int
  ) throws(Errno) -> [UInt8] {
    var failure: Errno?
    let result = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
      let result = unsafe call(buffer)
      if result < 0 { failure = .current }
      count = max(0, result)
    }
    if let failure { throw failure }
    return result
  }

  // MARK: Data

  package static func truncate(_ descriptor: Int32, to length: UInt64) throws(Errno) {
    guard let length = Int(exactly: length) else { throw Errno(EFBIG) }
    try checked(ftruncate(descriptor, length))
  }

  /// fallocate(2).
  package static func allocate(
    _ descriptor: Int32, mode: UInt32, offset: UInt64, count: UInt64
  ) throws(Errno) {
    guard let offset = Int64(exactly: offset), let count = Int64(exactly: count) else { throw Errno(EFBIG) }
    try checked(clinux_fallocate(descriptor, Int32(bitPattern: mode), offset, count))
  }

  /// sync_file_range(2): sees to it that all that was written to the file has its blocks, and waits. Next to nothing where
  /// that is so already; it does not make a disk write its cache.
  package static func writeBack(_ descriptor: Int32) throws(Errno) {
    try checked(clinux_write_back(descriptor))
  }

  /// lseek(2) with SEEK_DATA (3) or SEEK_HOLE (4); moves the descriptor's own position, which nothing uses.
  package static func seek(_ descriptor: Int32, _ offset: UInt64, whence: UInt32) throws(Errno) -> UInt64 {
    guard let offset = Int(exactly: offset) else { throw Errno(ENXIO) }
    return UInt64(try checked(lseek(descriptor, offset, Int32(bitPattern: whence))))
  }

  /// copy_file_range(2): may copy less than asked.
  package static func copyRange(
    _ from: Int32, _ fromOffset: UInt64, to: Int32, _ toOffset: UInt64, count: UInt64
  ) throws(Errno) -> Int {
    guard var fromOffset = Int64(exactly: fromOffset), var toOffset = Int64(exactly: toOffset) else {
      throw Errno(EINVAL)
    }
    let count = Int(min(count, 0x7fff_f000))
    return try checked(unsafe clinux_copy_file_range(from, &fromOffset, to, &toOffset, count))
  }

  /// FICLONE: makes `to` share all of the data of `from`, where the file system can.
  package static func clone(_ from: Int32, to: Int32) throws(Errno) {
    try checked(clinux_ficlone(to, from))
  }

  package static func sync(_ descriptor: Int32, dataOnly: Bool) throws(Errno) {
    try checked(dataOnly ? fdatasync(descriptor) : fsync(descriptor))
  }

  package static func syncFileSystem(_ descriptor: Int32) throws(Errno) {
    try checked(clinux_syncfs(descriptor))
  }

  /// pread(2) and pwrite(2) of a buffer, for copying where nothing better works.
  package static func read(_ descriptor: Int32, at offset: UInt64, into buffer: inout [UInt8]) throws(Errno) -> Int {
    guard let offset = Int(exactly: offset) else { throw Errno(EINVAL) }
    return try checked(
      unsafe buffer.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, offset) })
  }

  package static func write(
    _ descriptor: Int32, at offset: UInt64, _ buffer: [UInt8], count: Int
  ) throws(Errno) -> Int {
    guard let offset = Int(exactly: offset) else { throw Errno(EFBIG) }
    return try checked(
      unsafe buffer.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, min(count, $0.count), offset) })
  }

  /// getdents64(2): fills `buffer` with records, returns their length; 0 at the end.
  package static func directoryEntries(_ descriptor: Int32, into buffer: inout [UInt8]) throws(Errno) -> Int {
    try checked(
      unsafe buffer.withUnsafeMutableBytes { unsafe clinux_getdents64(descriptor, $0.baseAddress, $0.count) })
  }

  /// Moves a directory's position to one that getdents64 gave, or 0 for the start.
  package static func seekDirectory(_ descriptor: Int32, to position: UInt64) throws(Errno) {
    try checked(lseek(descriptor, Int(bitPattern: UInt(position)), SEEK_SET))
  }

  // MARK: The process

  package static var effectiveUser: UInt32 { geteuid() }
  package static var effectiveGroup: UInt32 { getegid() }
}

/// Flags of renameat2(2).
package struct RenameFlags: OptionSet, Sendable {
  package let rawValue: UInt32
  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package static let noReplace = RenameFlags(rawValue: 1)
  package static let exchange = RenameFlags(rawValue: 2)
  package static let whiteout = RenameFlags(rawValue: 4)
}

/// `/proc/self/fd/N` or `/proc/self/fd/N/NAME`, built inline: the way to calls that take no directory descriptor.
///
/// Only the link of `/proc` itself is followed: N is ours, and the calls used on NAME, all of them of extended attributes, do
/// not follow it (others, such as chmod(2), would). It is empty, and leads nowhere, for what can be no name.
@safe
private struct DescriptorPath: ~Copyable {
  private var bytes = InlineArray<288, UInt8>(repeating: 0)

  init(_ descriptor: Int32, _ name: Span<UInt8>) {
    guard descriptor >= 0, name.count <= 256 else { return }
    var count = 0
    let prefix: StaticString = "/proc/self/fd/"
    while count < prefix.utf8CodeUnitCount {
      // Within the constant's length.
      bytes[count] = unsafe prefix.utf8Start[count]
      count += 1
    }
    var digits = InlineArray<10, UInt8>(repeating: 0)
    var length = 0
    var value = UInt32(descriptor)
    repeat {
      digits[length] = UInt8(ascii: "0") + UInt8(value % 10)
      value /= 10
      length += 1
    } while value > 0
    for index in stride(from: length - 1, through: 0, by: -1) {
      bytes[count] = digits[index]
      count += 1
    }
    guard name.count > 1 else { return }
    bytes[count] = UInt8(ascii: "/")
    count += 1
    for index in name.indices {
      bytes[count] = name[index]
      count += 1
    }
  }

  func withPath<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    let span = bytes.span
    return unsafe span.withUnsafeBytes { unsafe body($0.assumingMemoryBound(to: CChar.self).baseAddress!) }
  }
}

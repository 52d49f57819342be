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
  static func path<Result>(_ name: Span<UInt8>, _ body: (UnsafePointer<CChar>) -> Result) -> Result {
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

  /// The bytes that a call leaves in a buffer, whose length it returns.
  static func bytes(
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

  // MARK: The process

  package static var effectiveUser: UInt32 { geteuid() }
  package static var effectiveGroup: UInt32 { getegid() }
}

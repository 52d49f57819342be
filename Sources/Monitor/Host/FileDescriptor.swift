import CLinux
import Glibc

/// An owned file descriptor, closed when its life ends.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The number, valid for as long as this value lives.
  public let raw: Int32

  /// Takes ownership of an open descriptor.
  public init(owning raw: Int32) { self.raw = raw }

  deinit { _ = close(raw) }

  /// Gives the descriptor up without closing it.
  public consuming func release() -> Int32 {
    let number = raw
    discard self
    return number
  }

  /// open(2), with `O_CLOEXEC` always set.
  ///
  /// - Parameter mode: permissions of a file made by `O_CREAT`.
  public static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try checked(unsafe path.withCString { unsafe clinux_open($0, flags | O_CLOEXEC, mode) }))
  }

  /// Makes or empties a file for writing.
  package static func create(_ path: Path) throws(Errno) -> FileDescriptor {
    try open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
  }

  /// A descriptor of its own for what another number stands for, with `O_CLOEXEC` set.
  public static func duplicate(of number: Int32) throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try checked(fcntl(number, F_DUPFD_CLOEXEC, 0)))
  }

  /// read(2) into `buffer`; 0 at the end of file.
  public func read(into buffer: inout [UInt8]) throws(Errno) -> Int {
    let number = raw
    return try checked(unsafe buffer.withUnsafeMutableBytes { unsafe Glibc.read(number, $0.baseAddress, $0.count) })
  }

  /// write(2) of `bytes` from `offset` on; may write less than all.
  public func write(_ bytes: [UInt8], from offset: Int = 0) throws(Errno) -> Int {
    let number = raw
    return try checked(
      unsafe bytes.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress! + offset, $0.count - offset) })
  }

  /// Writes all of `bytes`, through EINTR and partial writes. For blocking descriptors.
  public func writeAll(_ bytes: [UInt8]) throws(Errno) {
    var offset = 0
    while offset < bytes.count {
      do {
        offset += try write(bytes, from: offset)
      } catch Errno(EINTR) {
        continue
      }
    }
  }

  /// The size of a regular file, in bytes.
  ///
  /// - Throws: `EISDIR` for a directory, `EINVAL` for what is neither that nor a regular file with content.
  public func regularFileSize() throws(Errno) -> Int {
    var status = stat()
    try checked(unsafe fstat(raw, &status))
    switch status.st_mode & S_IFMT {
    case S_IFREG where status.st_size > 0: return status.st_size
    case S_IFDIR: throw Errno(EISDIR)
    default: throw Errno(EINVAL)
    }
  }

  /// Whether it is a regular file that has no content and can be given some anywhere.
  package func isEmptyAndWritable() throws(Errno) -> Bool {
    var status = stat()
    try checked(unsafe fstat(raw, &status))
    let flags = try checked(fcntl(raw, F_GETFL))
    return status.st_mode & S_IFMT == S_IFREG && status.st_size == 0 && flags & O_ACCMODE != O_RDONLY
      && flags & O_APPEND == 0
  }

  /// Sets or clears `O_NONBLOCK`.
  public func setNonblocking(_ on: Bool = true) throws(Errno) {
    let flags = try checked(fcntl(raw, F_GETFL))
    try checked(fcntl(raw, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK))
  }
}

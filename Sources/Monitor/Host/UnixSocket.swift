import CLinux
import Glibc

/// Stream sockets in the file system (unix(7)), never blocking, closed on exec.
package enum UnixSocket {
  private static let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

  /// The longest path, in bytes.
  package static let pathLimit = 107

  /// Binds `path` and listens on it; only the owner may connect.
  ///
  /// A socket that nobody listens on any more is replaced.
  /// - Throws: `EADDRINUSE` if somebody does, `ENAMETOOLONG`, or what bind(2) says.
  package static func listen(_ path: Path, backlog: Int32 = 128) throws(Errno) -> FileDescriptor {
    let socket = try new()
    // Linux takes the mode of the new file from the socket.
    try checked(fchmod(socket.raw, 0o600))
    var address = try address(path)
    do throws(Errno) {
      try bind(socket, &address)
    } catch Errno(EADDRINUSE) {
      guard isAbandonedSocket(path) else { throw Errno(EADDRINUSE) }
      try checked(unsafe path.withCString { unsafe unlink($0) })
      try bind(socket, &address)
    }
    try checked(Glibc.listen(socket.raw, backlog))
    return socket
  }

  /// connect(2).
  ///
  /// - Throws: `EAGAIN` if the listener's backlog is full, `ENOENT`, `ECONNREFUSED`, …
  package static func connect(_ path: Path) throws(Errno) -> FileDescriptor {
    let socket = try new()
    var address = try address(path)
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    try checked(
      unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.connect(socket.raw, $0, length) }
      })
    return socket
  }

  /// accept4(2); nil if nobody waits.
  package static func accept(_ listener: borrowing FileDescriptor) throws(Errno) -> FileDescriptor? {
    while true {
      let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
      do throws(Errno) {
        return FileDescriptor(owning: try checked(clinux_accept(listener.raw, flags)))
      } catch Errno(EAGAIN) {
        return nil
      } catch Errno(EINTR) {
        continue
      } catch Errno(ECONNABORTED) {
        continue
      }
    }
  }

  /// socketpair(2): a nonblocking end and a blocking one.
  package static func pair() throws(Errno) -> Pair {
    var ends: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    try checked(unsafe socketpair(AF_UNIX, kind, 0, &ends))
    let pair = Pair(nonblocking: FileDescriptor(owning: ends[0]), blocking: FileDescriptor(owning: ends[1]))
    try pair.nonblocking.setNonblocking()
    return pair
  }

  package struct Pair: ~Copyable {
    package let nonblocking: FileDescriptor
    package let blocking: FileDescriptor

    package consuming func split() -> (Int32, Int32) {
      (nonblocking.release(), blocking.release())
    }
  }

  /// Looks at up to `count` bytes that wait, without taking them; empty at the end.
  package static func peek(_ socket: borrowing FileDescriptor, count: Int) throws(Errno) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let number = socket.raw
    let length = try retryingInterrupts {
      unsafe bytes.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress, $0.count, Int32(MSG_PEEK)) }
    }
    bytes.removeLast(count - length)
    return bytes
  }

  /// Whether the peer has closed, and nothing of what it said is left.
  package static func isAtEnd(_ socket: Int32) -> Bool {
    var byte: UInt8 = 0
    return unsafe recv(socket, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) == 0
  }

  /// recv(2) into `buffer` from its byte `offset` on; 0 at the end.
  package static func receive(
    _ socket: borrowing FileDescriptor, into buffer: inout [UInt8], from offset: Int
  ) throws(Errno) -> Int {
    let number = socket.raw
    return try retryingInterrupts {
      unsafe buffer.withUnsafeMutableBytes { unsafe recv(number, $0.baseAddress! + offset, $0.count - offset, 0) }
    }
  }

  /// recvmsg(2) with the first descriptor that came along, if any; 0 at the end.
  package static func receive(
    _ socket: borrowing FileDescriptor, into buffer: inout [UInt8], _ descriptor: inout FileDescriptor?
  ) throws(Errno) -> Int {
    let number = socket.raw
    var received: Int32 = -1
    let count = try retryingInterrupts {
      unsafe buffer.withUnsafeMutableBytes {
        unsafe clinux_receive_with_descriptor(number, $0.baseAddress, $0.count, &received)
      }
    }
    if received >= 0 { descriptor = FileDescriptor(owning: received) }
    return count
  }

  /// send(2) without SIGPIPE.
  package static func send(_ socket: borrowing FileDescriptor, _ bytes: Span<UInt8>) throws(Errno) -> Int {
    let number = socket.raw
    return try retryingInterrupts {
      unsafe bytes.withUnsafeBytes { unsafe Glibc.send(number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
  }

  /// Which half of a socket.
  package enum Half {
    case reading, writing
  }

  /// shutdown(2). A peer that is gone already needs none.
  package static func shutDown(_ socket: borrowing FileDescriptor, _ half: Half) {
    _ = Glibc.shutdown(socket.raw, half == .reading ? Int32(SHUT_RD) : Int32(SHUT_WR))
  }

  /// Removes a socket's name, if it is there.
  package static func remove(_ path: Path) { _ = unsafe path.withCString { unsafe unlink($0) } }

  private static func new() throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try checked(socket(AF_UNIX, kind, 0)))
  }

  private static func bind(_ socket: borrowing FileDescriptor, _ address: inout sockaddr_un) throws(Errno) {
    let number = socket.raw
    let length = socklen_t(MemoryLayout<sockaddr_un>.size)
    try checked(
      unsafe withUnsafePointer(to: &address) {
        unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.bind(number, $0, length) }
      })
  }

  /// Whether it is a socket that nobody listens on any more.
  package static func isAbandonedSocket(_ path: Path) -> Bool { isSocket(path) && isAbandoned(path) }

  /// connect(2) to any other file is refused too.
  private static func isSocket(_ path: Path) -> Bool {
    var status = stat()
    return unsafe path.withCString { unsafe lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  private static func isAbandoned(_ path: Path) -> Bool {
    do throws(Errno) {
      _ = try connect(path)
      return false
    } catch {
      return error == Errno(ECONNREFUSED)
    }
  }

  private static func address(_ path: Path) throws(Errno) -> sockaddr_un {
    guard path.bytes.count <= pathLimit, !path.bytes.contains(0) else { throw Errno(ENAMETOOLONG) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // The path fits with its NUL, which was checked; the rest is zero already.
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.bytes) }
    return address
  }
}

extension Errno {
  /// What a descriptor that never blocks says when it would.
  package static let wouldBlock = Errno(EAGAIN)
  /// What a descriptor says whose object is gone.
  package static let badState = Errno(EBADFD)
}

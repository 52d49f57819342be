import CLinux
import Glibc
import Host

/// Stream sockets of the file system (unix(7)), non-blocking.
enum UnixSocket {
  static func listen(at path: String) throws(NovmError) -> FileDescriptor {
    let socket = try make(path)
    let number = socket.raw
    guard unsafe try withAddress(path, { unsafe bind(number, $0, $1) }) == 0, Glibc.listen(number, 8) == 0 else {
      throw .system(doing: "listen", path: path, .current)
    }
    return socket
  }

  static func connect(to path: String) throws(NovmError) -> FileDescriptor {
    let socket = try make(path)
    let number = socket.raw
    guard unsafe try withAddress(path, { unsafe Glibc.connect(number, $0, $1) }) == 0 else {
      throw .system(doing: "connect", path: path, .current)
    }
    return socket
  }

  /// nil when there is nobody to accept yet.
  static func accept(_ listener: borrowing FileDescriptor) -> FileDescriptor? {
    let number = Glibc.accept(listener.raw, nil, nil)
    guard number >= 0 else { return nil }
    // accept4(2) would do it in one step, but nothing is started in between.
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    return FileDescriptor(owning: number)
  }

  private static func make(_ path: String) throws(NovmError) -> FileDescriptor {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let number = socket(AF_UNIX, type, 0)
    guard number >= 0 else { throw .system(doing: "socket", path: path, .current) }
    return FileDescriptor(owning: number)
  }

  private static func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(NovmError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    // One byte stays zero: some readers of the address expect an end.
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw .store(.socketPathTooLong(path: path))
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    return unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}

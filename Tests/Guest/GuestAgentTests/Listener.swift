import Foundation

enum UnixSocket {
  static func make() -> Int32 {
    socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  }

  static func withAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }
}

/// Where the agent's `hello` arrives.
final class Listener {
  private let socket = UnixSocket.make()

  init(path: String) throws {
    guard UnixSocket.withAddress(path, { bind(socket, $0, $1) }) == 0, listen(socket, 1) == 0 else {
      throw TestFailure("listen \(path): errno \(errno)")
    }
  }

  deinit { close(socket) }

  func accept(within seconds: Int32) throws -> AgentStream {
    var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, seconds * 1000) > 0 else { throw TestFailure("nobody connects") }
    return AgentStream(owning: Glibc.accept(socket, nil, nil))
  }
}

import CGuest

/// Stream sockets that never block.
enum Socket {
  /// Listens on a vsock port of this guest (vsock(7)).
  static func listen(vsockPort port: UInt32) throws(SystemError) -> Descriptor {
    let socket = try stream(AF_VSOCK)
    try check(cguest_vsock_bind(socket.number, CGUEST_VMADDR_CID_ANY, port))
    try check(CGuest.listen(socket.number, 128))
    return socket
  }

  /// Listens on a path (unix(7)), which must not exist yet.
  static func listen(path: Bytes) throws(SystemError) -> Descriptor {
    guard path.count < cguest_unix_path_limit else { throw .nameTooLong }
    let socket = try stream(AF_UNIX)
    try check(unsafe path.withCString { unsafe cguest_unix_bind(socket.number, $0) })
    try check(CGuest.listen(socket.number, 128))
    return socket
  }

  /// Begins to connect to a vsock port of the host; the descriptor is writable when that is done or has failed.
  static func connect(hostPort port: UInt32) throws(SystemError) -> Descriptor {
    let socket = try stream(AF_VSOCK)
    do throws(SystemError) {
      try check(cguest_vsock_connect(socket.number, CGUEST_VMADDR_CID_HOST, port))
    } catch {
      if error != .inProgress { throw error }
    }
    return socket
  }

  /// Connects to a path (unix(7)), which is done at once or fails.
  static func connect(path: Bytes) throws(SystemError) -> Descriptor {
    guard path.count < cguest_unix_path_limit else { throw .nameTooLong }
    let socket = try stream(AF_UNIX)
    try check(unsafe path.withCString { unsafe cguest_unix_connect(socket.number, $0) })
    return socket
  }

  /// Connects to a port of this guest's own, by IPv4 or IPv6, which is done at once or fails.
  static func connect(loopbackPort port: UInt16, isDatagram: Bool) throws(SystemError) -> Descriptor {
    let type = isDatagram ? SOCK_DGRAM : SOCK_STREAM
    let socket = Descriptor(owning: try check(CGuest.socket(AF_INET, type | SOCK_CLOEXEC, 0)))
    if cguest_loopback_connect(socket.number, port) == 0 { return socket }
    let error = SystemError.last
    let six = Descriptor(owning: CGuest.socket(AF_INET6, type | SOCK_CLOEXEC, 0))
    guard six.number >= 0, cguest_loopback6_connect(six.number, port) == 0 else { throw error }
    return six
  }

  /// accept4(2); nil when nobody waits.
  ///
  /// On vsock only the host is let in: with `vsock_loopback` any process of the guest could connect too, and would be
  /// root.
  static func accept(_ listener: borrowing Descriptor) throws(SystemError) -> Descriptor? {
    do throws(SystemError) {
      while true {
        var peer = cguest_sockaddr_vm()
        let number = unsafe cguest_accept(listener.number, SOCK_CLOEXEC | SOCK_NONBLOCK, &peer)
        let connection = Descriptor(owning: try check(number))
        if Int32(peer.svm_family) != AF_VSOCK || peer.svm_cid == CGUEST_VMADDR_CID_HOST { return connection }
      }
    } catch {
      // A connection that ended while it waited is no error of the listener's (accept(2), "Error handling").
      if error == .again || error == .interrupted || error == SystemError(ECONNABORTED) { return nil }
      throw error
    }
  }

  private static func stream(_ family: Int32) throws(SystemError) -> Descriptor {
    Descriptor(owning: try check(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)))
  }
}

extension Descriptor {
  /// How connecting ended (`SO_ERROR`).
  func connectionResult() throws(SystemError) {
    var error: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    try check(unsafe getsockopt(number, SOL_SOCKET, SO_ERROR, &error, &size))
    if error != 0 { throw SystemError(error) }
  }

  /// shutdown(2), `SHUT_WR`: the peer reads the end of the stream.
  func finishWriting() { _ = shutdown(number, SHUT_WR) }
}

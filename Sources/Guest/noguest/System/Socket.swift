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

  /// Connects to a port at the first of this guest's own addresses that takes it, which is done at once or fails.
  ///
  /// - Throws: why the first did not, if none does.
  static func connect(
    _ port: UInt16, ofOneOf addresses: [IPAddress], isDatagram: Bool
  ) throws(SystemError) -> Descriptor {
    var first = SystemError(EADDRNOTAVAIL)
    for (index, address) in addresses.enumerated() {
      let type = isDatagram ? SOCK_DGRAM : SOCK_STREAM
      let socket = Descriptor(owning: CGuest.socket(address.family, type | SOCK_CLOEXEC, 0))
      if unsafe cguest_ip_connect(socket.number, address.family, address.bytes, port) == 0 { return socket }
      if index == 0 { first = .last }
    }
    throw first
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

import CLinux
import Glibc
import Host

/// A stream to a port of a guest's vsock, by way of `novmm`'s socket (decision 0007).
package enum GuestPort {
  /// - Parameters:
  ///   - vsock: the Unix socket that stands for the guest's vsock.
  ///   - deadline: no longer is the guest's answer waited for.
  /// - Returns: a stream that blocks.
  package static func connect(
    vsock: String, port: UInt32, until deadline: MonotonicTime
  ) throws(NovmError) -> FileDescriptor {
    let socket = try UnixSocket.connect(to: vsock)
    let request = Array("CONNECT \(port)\n".utf8)
    _ = unsafe request.withUnsafeBytes { unsafe send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    var answer: [UInt8] = []
    // A byte at a time: what follows the line is the stream's.
    while answer.last != UInt8(ascii: "\n") {
      var interest = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
      let count = unsafe poll(&interest, 1, deadline.millisecondsFromNow)
      if count == 0 { throw .tookTooLong("the connection to port \(port) of the guest") }
      if count < 0 { continue }
      guard answer.count < 64 else { throw .agentRefused }
      if case .end = InputChunk.read(socket.raw, into: &answer, limit: 1) { throw .portRefused(port) }
    }
    guard answer.starts(with: Array("OK ".utf8)) else { throw .portRefused(port) }
    do { try socket.setNonblocking(false) } catch { throw .call("fcntl", error) }
    return socket
  }
}

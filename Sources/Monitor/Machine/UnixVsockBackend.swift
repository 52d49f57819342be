import Confinement
import Devices
import Host

/// Bridges the guest's vsock ports to Unix sockets, in the form that Firecracker made common.
///
/// - A client connects to PATH, writes `CONNECT <port>\n`, and reads `OK <host port>\n` once the guest has accepted; a guest
///   that refuses is an end of file.
/// - The guest's connection to port N of the host becomes a connection to PATH_N.
///
/// Everything here belongs to the event loop's thread.
package final class UnixVsockBackend: VsockBackend {
  private let device: VsockDevice
  private let loop: EventLoop
  private let path: Path
  private var listener: UnixListener?
  /// Clients at once, asking or connected. Further ones wait to be accepted.
  private let clientLimit: Int
  private let broker: SocketBroker?
  private var clients = 0

  /// Listens at `path` and takes the guest's connections.
  ///
  /// - Parameter broker: connects to the sockets of the guest's streams, if this process is not to.
  /// - Throws: `EADDRINUSE` if another machine listens there, or what bind(2) says.
  package init(
    _ device: VsockDevice, path: Path, broker: SocketBroker? = nil, loop: EventLoop,
    clientLimit: Int = DescriptorBudget.ofThisProcess().streams
  ) throws(Errno) {
    self.clientLimit = clientLimit
    self.device = device
    self.path = path
    self.broker = broker
    self.loop = loop
    listener = try UnixListener(path, loop) { [self] socket in take(socket) }
    device.backend = self
  }

  /// Connects to a port of the guest from within the process.
  ///
  /// - Returns: a blocking socket; an end of file on it if the guest refuses. nil while the guest cannot be reached.
  package func connect(port: UInt32) throws(Errno) -> FileDescriptor? {
    let (ours, theirs) = try UnixSocket.pair().split()
    let client = FileDescriptor(owning: theirs)
    let endpoint = try UnixVsockEndpoint(FileDescriptor(owning: ours), device, loop, isAnnounced: false) { [self] in
      clientLeft()
    }
    clientCame()
    guard endpoint.connect(toGuestPort: port) else { return nil }
    return client
  }

  /// Removes the socket's name. The streams end with the process.
  package func close() { listener?.close() }

  package func connect(_ stream: VsockStream, port: UInt32) -> (any VsockEndpoint)? {
    guard clients < clientLimit else { return nil }
    do throws(Errno) {
      let endpoint = try UnixVsockEndpoint(try socket(port), device, loop, isAnnounced: false) { [self] in clientLeft()
      }
      endpoint.adopt(stream)
      clientCame()
      return endpoint
    } catch {
      return nil  // Nobody listens, or is too busy: the guest's connection is refused.
    }
  }

  private func socket(_ port: UInt32) throws(Errno) -> FileDescriptor {
    if let broker { return try broker.connect(port: port) }
    return try UnixSocket.connect(path + "_\(port)")
  }

  /// Somebody wants to connect.
  private func take(_ socket: consuming FileDescriptor) {
    do throws(Errno) {
      let endpoint = try UnixVsockEndpoint(socket, device, loop, isAnnounced: true) { [self] in clientLeft() }
      clientCame()
      endpoint.readRequest()
    } catch {
      // Without memory to wait for it, the client is let go.
    }
  }

  private func clientCame() {
    clients += 1
    if clients >= clientLimit { listener?.pause(true) }
  }

  private func clientLeft() {
    clients -= 1
    if clients < clientLimit { listener?.pause(false) }
  }
}

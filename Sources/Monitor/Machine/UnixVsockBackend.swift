import Devices
import Host

/// Bridges the guest's vsock ports to Unix sockets, in the form that Firecracker made common.
///
/// - A client connects to PATH, writes `CONNECT <port>\n`, and reads `OK <host port>\n` once the guest has accepted; a guest
///   that refuses is an end of file.
/// - The guest's connection to port N of the host becomes a connection to PATH_N.
///
/// Everything here belongs to the event loop's thread.
package final class UnixVsockBackend: VsockBackend, EventHandler {
  /// Clients at once, asking or connected. Further ones wait to be accepted.
  private static let clientLimit = VsockDevice.maximumStreams

  private let device: VsockDevice
  private let loop: EventLoop
  private let path: Path
  private let listener: FileDescriptor
  private var clients = 0
  private var isAcceptingPaused = false

  /// Listens at `path` and takes the guest's connections.
  ///
  /// - Throws: `EADDRINUSE` if another machine listens there, or what bind(2) says.
  package init(_ device: VsockDevice, path: Path, loop: EventLoop) throws(Errno) {
    self.device = device
    self.path = path
    self.loop = loop
    listener = try UnixSocket.listen(path)
    device.backend = self
    try loop.add(listener.raw, [.readable, .edgeTriggered], self)
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
    clients += 1
    guard endpoint.connect(toGuestPort: port) else { return nil }
    return client
  }

  /// Removes the socket's name. The streams end with the process.
  package func close() {
    loop.remove(listener.raw)
    UnixSocket.remove(path)
  }

  /// Somebody wants to connect.
  package func ready(_ events: EventLoop.Events) { acceptClients() }

  package func connect(_ stream: VsockStream, port: UInt32) -> (any VsockEndpoint)? {
    do throws(Errno) {
      let socket = try UnixSocket.connect(path + "_\(port)")
      let endpoint = try UnixVsockEndpoint(socket, device, loop, isAnnounced: false) { [self] in clientLeft() }
      endpoint.adopt(stream)
      clients += 1
      return endpoint
    } catch {
      return nil  // Nobody listens, or is too busy: the guest's connection is refused.
    }
  }

  private func acceptClients() {
    isAcceptingPaused = false
    while clients < Self.clientLimit {
      do throws(Errno) {
        guard let socket = try UnixSocket.accept(listener) else { return }
        let endpoint = try UnixVsockEndpoint(socket, device, loop, isAnnounced: true) { [self] in clientLeft() }
        clients += 1
        endpoint.readRequest()
      } catch {
        break  // Out of descriptors: there will be some when a client leaves.
      }
    }
    isAcceptingPaused = true
  }

  private func clientLeft() {
    clients -= 1
    if isAcceptingPaused { loop.post { [self] in acceptClients() } }
  }
}

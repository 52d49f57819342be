import Glibc
import Host
import Logging

/// What leads from the host into one guest without any network: its published ports and sockets.
///
/// Whoever looks after the machine listens here. For each stream that comes, and for each who sends datagrams, the agent
/// connects to the guest's own port or socket (docs/agent-protocol.md, "Built in"), and the bytes go by a stream of the
/// machine's vsock.
package final class PortForwards {
  private let loop: PollLoop
  private var forwards: [any Forward] = []

  /// Listens, but lets nobody in yet.
  ///
  /// - Parameters:
  ///   - ports: each with its address, as of ``PublishedPort/listeners``.
  ///   - toCard: whether what comes goes to a card of the guest's, and not to its loopback.
  init(
    _ ports: [PublishedPort], vsock: String, toCard: Bool = false, loop: PollLoop, logger: Logger
  ) throws(NovmError) {
    self.loop = loop
    for port in ports {
      do throws(Errno) {
        let target = ForwardTarget(port, vsock: vsock, toCard: toCard)
        switch port.host {
        case .port(let number, let address):
          let kind = port.transport == .tcp ? InternetSocket.Kind.stream : .datagram
          guard let place = address.flatMap({ InternetAddress($0, port: number) }) else { throw Errno(EINVAL) }
          let socket = try InternetSocket.listen(kind, place)
          if kind == .stream {
            forwards.append(StreamForward(socket, target, loop: loop, logger: logger))
          } else {
            forwards.append(DatagramForward(socket, target, loop: loop, logger: logger))
          }
        case .socket(let path):
          let socket = try Host.UnixSocket.listen(Path(path))
          forwards.append(StreamForward(socket, target, path: Path(path), loop: loop, logger: logger))
        }
      } catch {
        if port.isOptional, error == Errno(EADDRNOTAVAIL) || error == Errno(EAFNOSUPPORT) { continue }
        throw .publishing(port.host, error)
      }
    }
    for forward in forwards { loop.add(forward) }
  }

  deinit {
    for forward in forwards {
      loop.remove(forward)
      forward.close()
    }
  }

  /// Removes the names of sockets whose listener was killed.
  package static func removeAbandoned(_ ports: [PublishedPort]) {
    for case .socket(let path) in ports.map(\.host) where Host.UnixSocket.isAbandonedSocket(Path(path)) {
      Host.UnixSocket.remove(Path(path))
    }
  }

  /// The guest takes commands: lets in who waits and who comes.
  func open() {
    for forward in forwards { forward.isOpen = true }
  }
}

/// One published port.
protocol Forward: PollSource {
  var isOpen: Bool { get set }
  /// Lets go of all that came.
  func close()
}

/// The guest's end of a published port.
struct ForwardTarget {
  let vsock: String
  /// What the agent is asked to do.
  let arguments: [[UInt8]]

  init(_ port: PublishedPort, vsock: String, toCard: Bool) {
    self.vsock = vsock
    switch port.guest {
    case .port(let number):
      let words = ["connect", port.transport.rawValue, "\(number)"] + (toCard ? ["card"] : [])
      arguments = words.map { Array($0.utf8) }
    case .socket(let path):
      arguments = [Array("connect".utf8), Array("unix".utf8), path]
    }
  }
}

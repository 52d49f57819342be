import Devices
import GuestMemory
import Host

/// One Unix socket behind one vsock stream.
///
/// It is registered once, edge-triggered, for everything: the device goes on with a transfer until the socket says that it
/// would block, so no descriptor is ever polled in vain and none needs re-arming.
final class UnixVsockEndpoint: VsockEndpoint, EventHandler {
  private enum Phase {
    /// The client has yet to say which port it wants.
    case asking
    /// The guest has yet to answer.
    case connecting
    case open
    case closed
  }

  private let device: VsockDevice
  private let loop: EventLoop
  private let number: Int32
  private var socket: FileDescriptor?
  private var stream: VsockStream?
  private var phase: Phase
  /// Whether the client wants to read `OK <host port>`.
  private let isAnnounced: Bool
  private var left: (() -> Void)?

  /// - Parameter left: called once, when the endpoint is closed.
  init(
    _ socket: consuming FileDescriptor, _ device: VsockDevice, _ loop: EventLoop, isAnnounced: Bool,
    left: @escaping () -> Void
  ) throws(Errno) {
    self.device = device
    self.loop = loop
    self.isAnnounced = isAnnounced
    self.left = left
    number = socket.raw
    phase = isAnnounced ? .asking : .connecting
    self.socket = consume socket
    try loop.add(number, [.readable, .writable, .readHangUp, .edgeTriggered], self)
  }

  /// A stream that the guest began.
  func adopt(_ stream: VsockStream) {
    self.stream = stream
    phase = .open
  }

  /// Asks the guest to accept; false (and closed) if it cannot be asked.
  func connect(toGuestPort port: UInt32) -> Bool {
    phase = .connecting
    let stream = device.connect(toGuestPort: port, self)
    if stream == nil { close() }
    if phase != .closed { self.stream = stream }
    return phase != .closed
  }

  // MARK: Events

  func ready(_ events: EventLoop.Events) {
    switch phase {
    case .asking:
      readRequest()
      // An edge is told once, so a client that asked and left at once is told on.
      if phase == .connecting, !events.isDisjoint(with: [.hangUp, .error]) { report(events) }
    case .connecting, .open: report(events)
    case .closed: break
    }
  }

  private func report(_ events: EventLoop.Events) {
    guard let stream else { return }
    if !events.isDisjoint(with: [.hangUp, .error]) { return device.hungUp(stream) }
    // Until the guest has answered, the device assumes that there is something to read.
    guard phase == .open else { return }
    if events.contains(.writable) { device.writable(stream) }
    if phase == .open, !events.isDisjoint(with: [.readable, .readHangUp]) { device.readable(stream) }
  }

  /// Takes the client's first line, and nothing of what follows it.
  func readRequest() {
    guard phase == .asking else { return }
    do throws(Errno) {
      let bytes = try peek(ConnectRequest.limit)
      switch ConnectRequest(bytes) {
      case .incomplete where !bytes.isEmpty: return
      case .incomplete, .malformed: close()
      case .port(let port, let length):
        _ = try take(length)
        _ = connect(toGuestPort: port)
      }
    } catch {
      if error != .wouldBlock { close() }
    }
  }

  // MARK: The device's calls

  func opened(hostPort: UInt32) {
    guard phase == .connecting else { return }
    phase = .open
    if isAnnounced {
      // The socket's buffer is empty, so the line fits; if the client has gone, an event says so.
      _ = write(Array("OK \(hostPort)\n".utf8).span)
    }
  }

  func read(into slices: [GuestSlice]) -> VsockTransfer {
    guard socket != nil else { return .ended }
    var vectors = SocketVectors()
    // The slices point into the machine's RAM, which outlives the call.
    for slice in slices { unsafe vectors.append(slice.hostBytes) }
    do throws(Errno) {
      let count = try vectors.receive(from: socket!)
      return count == 0 ? .ended : .moved(count)
    } catch {
      return error == .wouldBlock ? .blocked : .failed
    }
  }

  func write(_ slices: [GuestSlice]) -> VsockTransfer {
    guard socket != nil else { return .failed }
    var vectors = SocketVectors()
    // As above.
    for slice in slices { unsafe vectors.append(slice.hostBytes) }
    do throws(Errno) {
      return .moved(try vectors.send(to: socket!))
    } catch {
      return error == .wouldBlock ? .blocked : .failed
    }
  }

  func write(_ bytes: Span<UInt8>) -> VsockTransfer {
    guard socket != nil else { return .failed }
    do throws(Errno) {
      return .moved(try UnixSocket.send(socket!, bytes))
    } catch {
      return error == .wouldBlock ? .blocked : .failed
    }
  }

  func endOutput() {
    guard socket != nil else { return }
    UnixSocket.shutDown(socket!, .writing)
  }

  func endInput() {
    guard socket != nil else { return }
    UnixSocket.shutDown(socket!, .reading)
  }

  func close() {
    guard phase != .closed else { return }
    phase = .closed
    stream = nil
    loop.remove(number)
    socket = nil
    left?()
    left = nil
  }

  private func peek(_ count: Int) throws(Errno) -> [UInt8] {
    guard socket != nil else { return [] }
    return try UnixSocket.peek(socket!, count: count)
  }

  private func take(_ count: Int) throws(Errno) -> Int {
    guard socket != nil else { return 0 }
    var line = [UInt8](repeating: 0, count: count)
    return try socket!.read(into: &line)
  }
}

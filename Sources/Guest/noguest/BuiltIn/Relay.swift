import AgentProtocol
import CGuest

/// `connect tcp PORT [card]`, `connect udp PORT [card]`, `connect unix PATH`: a socket of this guest's own, for somebody on the host. What
/// standard input has goes there, and what comes back goes to standard output; datagrams are framed (``DatagramStream``).
///
/// The end of the input ends that direction alone. The end of what the socket says ends it all, since the protocol has no
/// end of standard output but the command's.
struct Relay: ~Copyable {
  private let socket: Descriptor
  private let isFramed: Bool
  private let input = Descriptor(owning: 0)
  private let output = Descriptor(owning: 1)
  private var toSocket = InputQueue()
  private var toOutput = InputQueue()
  private var hasInput = true
  private var datagrams = DatagramStream()

  private enum End {
    case input, output, socket
  }

  private init(_ socket: consuming Descriptor, isFramed: Bool) {
    self.socket = socket
    self.isFramed = isFramed
  }

  /// Returns once one of the ends is done.
  ///
  /// - Parameters:
  ///   - kind: `tcp`, `udp` or `unix`.
  ///   - place: a port, or a path.
  ///   - toCard: to the port at the address of a network card, not of the loopback.
  static func run(_ kind: Bytes, _ place: Bytes, toCard: Bool) throws(BuiltIn.Trouble) {
    do throws(SystemError) {
      var relay = Relay(try connect(kind, place, toCard), isFramed: kind == "udp")
      try relay.socket.setNonBlocking()
      try relay.input.setNonBlocking()
      try relay.output.setNonBlocking()
      while try relay.turn() {}
    } catch {
      throw BuiltIn.Trouble(kind + " " + place, error)
    }
  }

  private static func connect(_ kind: Bytes, _ place: Bytes, _ toCard: Bool) throws(SystemError) -> Descriptor {
    if kind == "unix" { return try Socket.connect(path: place) }
    guard kind == "tcp" || kind == "udp", let number = place.decimal, let port = UInt16(exactly: number) else {
      throw SystemError(EINVAL)
    }
    let addresses = toCard ? Network.addresses : IPAddress.loopback
    return try Socket.connect(port, ofOneOf: addresses, isDatagram: kind == "udp")
  }

  /// Waits for one of the ends, and moves what can be moved. Answers whether there is more to come.
  private mutating func turn() throws(SystemError) -> Bool {
    var poll = Poll<End>()
    poll.add(0, readable: hasInput && toSocket.isEmpty, for: .input)
    poll.add(1, writable: !toOutput.isEmpty, hangUp: true, for: .output)
    poll.add(socket.number, readable: toOutput.isEmpty, writable: !toSocket.isEmpty, for: .socket)
    for (end, readiness) in try poll.wait(milliseconds: nil) {
      switch end {
      case .input: try takeInput()
      case .output:
        // Asked for nothing else it is ready once nobody reads any more: a datagram socket alone has no end.
        guard !toOutput.isEmpty else { return false }
        _ = try output.drain(&toOutput)
      case .socket:
        if readiness.writable, !toSocket.isEmpty { try drainToSocket() }
        if readiness.readable, toOutput.isEmpty, try !takeOutput() { return false }
      }
    }
    return true
  }

  private mutating func takeInput() throws(SystemError) {
    var bytes: Bytes = []
    guard let count = try Self.read(input, into: &bytes) else { return }
    hasInput = count > 0
    if isFramed {
      // One that cannot be sent is lost, as datagrams are.
      for datagram in datagrams.take(bytes) {
        unsafe datagram.withUnsafeBufferPointer { _ = unsafe send(socket.number, $0.baseAddress, $0.count, 0) }
      }
    } else if hasInput {
      toSocket.append(bytes[...])
      try drainToSocket()
    } else {
      socket.finishWriting()
    }
  }

  private mutating func drainToSocket() throws(SystemError) { _ = try socket.drain(&toSocket) }

  /// Answers whether the socket may have more.
  private mutating func takeOutput() throws(SystemError) -> Bool {
    var bytes: Bytes = []
    do throws(SystemError) {
      guard let count = try Self.read(socket, into: &bytes) else { return true }
      if isFramed {
        var framed: Bytes = []
        DatagramStream.encode(bytes, into: &framed)
        bytes = framed
      } else if count == 0 {
        return false
      }
    } catch {
      // Nobody is there to take datagrams now; somebody may be at the next.
      if isFramed { return true }
      throw error
    }
    toOutput.append(bytes[...])
    _ = try output.drain(&toOutput)
    return true
  }

  /// nil if there is nothing now.
  private static func read(_ descriptor: borrowing Descriptor, into bytes: inout Bytes) throws(SystemError) -> Int? {
    do throws(SystemError) { return try descriptor.read(into: &bytes) } catch {
      if error == .again || error == .interrupted { return nil }
      throw error
    }
  }
}

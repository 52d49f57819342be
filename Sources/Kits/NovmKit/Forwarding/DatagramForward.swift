import AgentProtocol
import Glibc
import Host
import Logging

/// A port of the host's whose datagrams lead to one of the guest's, and those that come back to who sent the first.
final class DatagramForward: Forward {
  private let socket: FileDescriptor
  private let target: ForwardTarget
  /// Which holds this.
  private unowned let loop: PollLoop
  private let logger: Logger
  private var flows: [InternetAddress: DatagramFlow] = [:]
  private var buffer = [UInt8](repeating: 0, count: DatagramStream.limit)
  var isOpen = false

  init(_ socket: consuming FileDescriptor, _ target: ForwardTarget, loop: PollLoop, logger: Logger) {
    self.socket = socket
    self.target = target
    self.loop = loop
    self.logger = logger
  }

  /// As many may speak to the port at a time; another takes the place of who has been silent longest.
  private static let limit = 128
  /// Datagrams that are taken in one turn of the loop.
  private static let batch = 32

  var interest: PollInterest? { isOpen ? PollInterest(socket.raw, POLLIN) : nil }

  func ready(_ events: Int32) throws(NovmError) {
    for _ in 0..<Self.batch {
      do throws(Errno) {
        guard let (count, sender) = try InternetSocket.receive(socket, into: &buffer) else { return }
        try? flow(of: sender).take(buffer[..<count])
      } catch {
        // What an earlier datagram to the sender met (udp(7)).
        continue
      }
    }
  }

  private func flow(of sender: InternetAddress) throws(NovmError) -> DatagramFlow {
    if let flow = flows[sender] { return flow }
    if flows.count >= Self.limit, let oldest = flows.min(by: { $0.value.deadline < $1.value.deadline })?.key {
      close(oldest)
    }
    let flow = try DatagramFlow(target, loop: loop) { [unowned self] datagram in
      InternetSocket.send(socket, datagram[...], to: sender)
    }
    flows[sender] = flow
    return flow
  }

  private func close(_ sender: InternetAddress) {
    if let words = flows.removeValue(forKey: sender)?.close(loop) {
      logger.debug("datagrams into the guest: \(words)")
    }
  }

  func close() {
    for sender in flows.keys { close(sender) }
  }

  var deadline: MonotonicTime? { flows.values.map(\.deadline).min() }

  func expired() {
    let now = MonotonicTime.now
    for (sender, flow) in flows where flow.deadline <= now { close(sender) }
  }
}

/// The datagrams of one sender, and what comes back to it.
private final class DatagramFlow {
  private let feed: PipeFeed
  private let session: Session
  private let errors = ErrorText()
  private var last = MonotonicTime.now

  init(
    _ target: ForwardTarget, loop: PollLoop, _ answer: @escaping ([UInt8]) -> Void
  ) throws(NovmError) {
    feed = try PipeFeed()
    let output = DatagramOutput()
    session = try Session(
      Command(arguments: target.arguments, options: [.builtIn, .input]), on: AgentConnection(vsock: target.vsock),
      loop: loop, input: feed.descriptor, output: output, error: errors)
    session.staysApart()
    loop.add(feed)
    output.onDatagram = { [unowned self] datagram in
      last = .now
      answer(datagram)
    }
  }

  /// What waits beyond that is dropped, in bytes: nobody gains by datagrams that are late.
  private static let backlogLimit = 256 << 10
  /// In milliseconds: what RFC 4787 (REQ-5) wants of who translates addresses.
  private static let silence: UInt64 = 120_000

  func take(_ datagram: ArraySlice<UInt8>) throws(NovmError) {
    last = .now
    guard feed.backlog < Self.backlogLimit else { return }
    var bytes: [UInt8] = []
    DatagramStream.encode(datagram, into: &bytes)
    try feed.write(bytes, of: self)
  }

  /// When it has nothing more to do.
  var deadline: MonotonicTime { session.result == nil ? last.advanced(milliseconds: Self.silence) : last }

  /// - Returns: why it failed, if it did.
  func close(_ loop: PollLoop) -> String? {
    session.leave(loop)
    loop.remove(feed)
    return errors.lastLine
  }
}

/// What the guest answers, taken apart.
private final class DatagramOutput: ImmediateOutput {
  private var stream = DatagramStream()
  var onDatagram: ([UInt8]) -> Void = { _ in }

  func write(_ bytes: ArraySlice<UInt8>) {
    for datagram in stream.take(bytes) { onDatagram(datagram) }
  }
}

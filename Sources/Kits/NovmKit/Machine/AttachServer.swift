import AgentProtocol
import Glibc
import Host

/// Lets people in on the command of a machine in the background, as many at once as like to: `novm attach`.
///
/// They speak the agent's frames on a Unix socket beside the machine's vsock. Who connects reads `started`, then output from
/// then on, and at last how the command ended; signals, and input and sizes of the terminal where the command takes them, go
/// the other way. Who does not read is let go of, so that nobody holds the command up.
final class AttachServer: PollSource {
  private let listener: FileDescriptor
  private let loop: PollLoop
  private let feed: PipeFeed?
  private var clients: [AgentConnection] = []
  private var rest = ListenerRest()
  /// The command, once there is one.
  private weak var session: Session?

  /// - Parameter takesInput: whether the command has input that stays open.
  init(at path: String, loop: PollLoop, takesInput: Bool) throws(NovmError) {
    listener = try UnixSocket.listen(at: path)
    self.loop = loop
    feed = takesInput ? try PipeFeed() : nil
    loop.add(self)
    if let feed { loop.add(feed) }
  }

  /// For the command's standard input; nil if it has none.
  var input: Int32? { feed?.descriptor }

  /// Passes a stream of the command's output on, and shows it to who is attached.
  func tee(_ type: FrameType, _ output: some CommandOutput) -> some CommandOutput {
    Tee(output) { [unowned self] bytes throws(NovmError) in try show(type, bytes) }
  }

  func serve(_ session: Session) { self.session = session }

  /// Tells how the command ended, and waits until it is told, but not for long.
  func finish(_ end: Session.End?) throws(NovmError) {
    loop.remove(self)
    if let feed { loop.remove(feed) }
    for client in clients {
      switch end {
      case .exited(let code)?: try client.send(.exited(code: code))
      case .signaled(let number)?: try client.send(.signaled(number))
      default: break
      }
    }
    try loop.run(until: .after(milliseconds: 1000)) { clients.allSatisfy { $0.backlog == 0 } }
    for client in clients { leave(client) }
  }

  // MARK: Clients

  var interest: PollInterest? {
    rest.end == nil && clients.count < Self.clientLimit ? PollInterest(listener.raw, POLLIN) : nil
  }

  var deadline: MonotonicTime? { rest.end }

  func expired() { rest.finish() }

  func ready(_ events: Int32) throws(NovmError) {
    guard let accepted = rest.accept(listener) else { return }
    let client = try AgentConnection(stream: accepted)
    // By identity: a closure that held the client would keep it for ever.
    client.onFrame = { [unowned self, unowned client] frame throws(NovmError) in try take(frame, from: client) }
    client.onData = { [unowned self, unowned client] type, bytes throws(NovmError) in
      try take(type, bytes, from: client)
    }
    client.onClose = { [unowned self, unowned client] () throws(NovmError) in leave(client) }
    client.onFault = { [unowned self, unowned client] _ throws(NovmError) in leave(client) }
    clients.append(client)
    loop.add(client)
    try client.send(.started(pid: 0))
  }

  private func leave(_ client: AgentConnection) {
    loop.remove(client)
    clients.removeAll { $0 === client }
    feed?.forget(client)
  }

  private func take(_ frame: Frame, from client: AgentConnection) throws(NovmError) {
    switch frame {
    case .signal(let number): try session?.signal(Int32(number))
    case .resize(let window): try session?.resize(window)
    // The next who attaches may have more to say.
    case .endOfInput: break
    default: leave(client)
    }
  }

  private func take(_ type: FrameType, _ bytes: ArraySlice<UInt8>, from client: AgentConnection) throws(NovmError) {
    guard type == .stdin else { return leave(client) }
    let count = UInt32(bytes.count)
    guard let feed else { return try client.send(.credit(count)) }
    // No more than all have been given room for.
    guard feed.backlog <= Self.clientLimit * Int(Agent.initialInputWindow) else { return leave(client) }
    try feed.write(Array(bytes), of: client) { [weak client] () throws(NovmError) in try client?.send(.credit(count)) }
  }

  private func show(_ type: FrameType, _ bytes: ArraySlice<UInt8>) throws(NovmError) {
    for client in clients {
      if client.backlog > Self.backlogLimit {
        leave(client)
      } else {
        try client.send(type == .stdout ? .stdout(Array(bytes)) : .stderr(Array(bytes)))
      }
    }
  }

  private static let clientLimit = 32
  /// What one who reads slowly may be behind, in bytes.
  private static let backlogLimit = 4 << 20
}

/// Output to two places.
private final class Tee<Output: CommandOutput>: CommandOutput {
  private let output: Output
  private let show: (ArraySlice<UInt8>) throws(NovmError) -> Void

  init(_ output: Output, _ show: @escaping (ArraySlice<UInt8>) throws(NovmError) -> Void) {
    self.output = output
    self.show = show
  }

  var pending: Int { output.pending }
  var dropped: Int { output.dropped }
  var onBreak: (Errno) throws(NovmError) -> Void {
    get { output.onBreak }
    set { output.onBreak = newValue }
  }
  var interest: PollInterest? { output.interest }
  var deadline: MonotonicTime? { output.deadline }
  func ready(_ events: Int32) throws(NovmError) { try output.ready(events) }
  func expired() throws(NovmError) { try output.expired() }

  func write(_ bytes: ArraySlice<UInt8>) throws(NovmError) {
    try output.write(bytes)
    try show(bytes)
  }
}

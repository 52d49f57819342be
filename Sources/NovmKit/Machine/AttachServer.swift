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
  private let feed: InputFeed?
  private var clients: [AgentConnection] = []
  /// The command, once there is one.
  private weak var session: Session?

  /// - Parameter takesInput: whether the command has input that stays open.
  init(at path: String, loop: PollLoop, takesInput: Bool) throws(NovmError) {
    listener = try UnixSocket.listen(at: path)
    self.loop = loop
    feed = takesInput ? try InputFeed() : nil
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

  var interest: PollInterest? { clients.count < Self.clientLimit ? PollInterest(listener.raw, POLLIN) : nil }

  func ready(_ events: Int32) throws(NovmError) {
    guard let accepted = UnixSocket.accept(listener) else { return }
    let client = try AgentConnection(stream: accepted)
    // By identity: a closure that held the client would keep it for ever.
    client.onFrame = { [unowned self, unowned client] frame throws(NovmError) in try take(frame, from: client) }
    client.onData = { [unowned self, unowned client] type, bytes throws(NovmError) in
      try take(type, bytes, from: client)
    }
    client.onClose = { [unowned self, unowned client] () throws(NovmError) in leave(client) }
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
    if let feed { try feed.take(bytes, from: client) } else { try client.send(.credit(UInt32(bytes.count))) }
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

/// What those who are attached type, on its way into the command's standard input.
private final class InputFeed: PollSource {
  private let pipe: Pipe
  private var queue: [(bytes: [UInt8], client: AgentConnection)] = []
  private var offset = 0

  init() throws(NovmError) {
    pipe = try Program.pipe()
    do throws(Errno) {
      try pipe.reader.setNonblocking()
      try pipe.writer.setNonblocking()
    } catch {
      throw .call("fcntl", error)
    }
  }

  /// Where the command's input comes from; it does not end.
  var descriptor: Int32 { pipe.reader.raw }

  func take(_ bytes: ArraySlice<UInt8>, from client: AgentConnection) throws(NovmError) {
    queue.append((Array(bytes), client))
    try ready(POLLOUT)
  }

  func forget(_ client: AgentConnection) {
    // What it typed first is in the command's hands in part: that is let through.
    let rest = queue.dropFirst().filter { $0.client !== client }
    queue = queue.prefix(1) + rest
  }

  var interest: PollInterest? { queue.isEmpty ? nil : PollInterest(pipe.writer.raw, POLLOUT) }

  func ready(_ events: Int32) throws(NovmError) {
    while let (bytes, client) = queue.first {
      guard let count = try? pipe.writer.write(bytes, from: offset) else { return }
      offset += count
      guard offset == bytes.count else { continue }
      queue.removeFirst()
      offset = 0
      try client.send(.credit(UInt32(bytes.count)))
    }
  }
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

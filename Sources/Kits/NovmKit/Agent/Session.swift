import AgentProtocol
import Glibc
import Host

/// One command in the guest, from `exec` to its end: moves its input and output, binary-safe and without holding more
/// than a few hundred KiB of either.
package final class Session {
  /// How the command ended.
  package enum End: Equatable, Sendable {
    case exited(UInt8)
    case signaled(UInt8)
    case failed(Failure)
    /// The guest closed the stream before the command ended.
    case lost
    /// The caller left the command to itself, by ``DetachKeys``.
    case detached

    /// As shells have it; nil for what is novm's failure rather than the command's.
    package var exitStatus: Int32? {
      switch self {
      case .exited(let code): Int32(code)
      case .signaled(let signal): 128 + Int32(signal)
      case .detached: 0
      case .failed, .lost: nil
      }
    }
  }

  private let connection: AgentConnection
  private let input: InputPump
  private let output: any CommandOutput
  private let error: any CommandOutput
  private let command: Command
  private var isKilled = false
  /// Why output could not be written, if not because its reader went away.
  package private(set) var outputFault: Errno?

  package private(set) var isStarted = false
  private var end: End? {
    didSet { if oldValue == nil, end != nil { onEnd() } }
  }
  /// Called once when it is known how the command ended.
  package var onEnd: () -> Void = {}

  /// - Parameters:
  ///   - input: the descriptor for the command's standard input; nil for none.
  ///   - output: where standard output goes.
  ///   - error: where standard error goes.
  ///   - isRunning: whether the other end runs the command already, and need not be asked to.
  package init(
    _ command: Command, on connection: AgentConnection, loop: PollLoop, input: Int32?, output: any CommandOutput,
    error: any CommandOutput, isRunning: Bool = false
  ) throws(NovmError) {
    self.command = command
    self.connection = connection
    self.input = InputPump(input, connection: connection)
    self.output = output
    self.error = error
    connection.onFrame = { [unowned self] frame throws(NovmError) in try take(frame) }
    connection.onData = { [unowned self] type, bytes throws(NovmError) in try take(type, bytes) }
    connection.onClose = { [unowned self] () throws(NovmError) in if end == nil { end = .lost } }
    connection.wantsFrames = { [unowned self] in
      end == nil && self.output.pending < Self.outputLimit && self.error.pending < Self.outputLimit
    }
    for stream in [output, error] {
      stream.onBreak = { [unowned self] errno throws(NovmError) in try outputBroke(errno) }
    }
    for source in [connection, self.input, self.output, self.error] as [any PollSource] { loop.add(source) }
    if isRunning {
      // On a terminal of its own it is the only one to know these keys.
      if command.options.contains(.terminal) { self.input.watchForDetachKeys { [unowned self] in finish(.detached) } }
    } else {
      try connection.send(.exec(command))
    }
  }

  /// Keeps a stream that makes no sense from being anybody else's trouble: the command is lost, and that is all.
  func staysApart() {
    connection.onFault = { [unowned self] _ in if end == nil { finish(.lost) } }
  }

  /// How the command ended, once all that it wrote has been passed on.
  package var result: End? { output.pending == 0 && error.pending == 0 ? end : nil }

  /// Takes the session's parts out of the loop, whether the command has ended or not.
  package func leave(_ loop: PollLoop) {
    for source in [connection, input, output, error] as [any PollSource] { loop.remove(source) }
  }

  /// Sends a signal to the command.
  package func signal(_ number: Int32) throws(NovmError) {
    guard end == nil, let number = UInt8(exactly: number) else { return }
    try connection.send(.signal(number))
  }

  /// Tells the command's terminal its size.
  package func resize(_ window: WindowSize) throws(NovmError) {
    guard end == nil, command.options.contains(.terminal) else { return }
    try connection.send(.resize(window))
  }

  private func take(_ frame: Frame) throws(NovmError) {
    switch frame {
    case .started where !isStarted:
      isStarted = true
      input.start()
    case .credit(let bytes) where isStarted:
      input.window.grant(bytes)
    case .exited(let code) where isStarted:
      finish(.exited(code))
    case .signaled(let signal) where isStarted:
      finish(.signaled(signal))
    case .failed(let failure):
      finish(.failed(failure))
    default:
      throw .protocolViolation(.malformed(frame.type))
    }
  }

  private func take(_ type: FrameType, _ bytes: ArraySlice<UInt8>) throws(NovmError) {
    guard isStarted, type != .stdin else { throw .protocolViolation(.malformed(type)) }
    let stream = type == .stdout ? output : error
    try stream.write(bytes)
    try giveUpIfUnheard(stream)
  }

  private func finish(_ end: End) {
    self.end = end
    input.stop()
  }

  /// Whoever read our output went away. In a pipeline of one host, the command would get SIGPIPE at its next write.
  private func outputBroke(_ errno: Errno) throws(NovmError) {
    if ![EPIPE, EIO, ECONNRESET].contains(errno.code) { outputFault = errno }
    try signal(command.options.contains(.terminal) ? SIGHUP : SIGPIPE)
  }

  /// A command that takes no notice of SIGPIPE would see EPIPE and end in a pipeline of one host; here it would go on for
  /// ever.
  private func giveUpIfUnheard(_ stream: any CommandOutput) throws(NovmError) {
    guard !isKilled, stream.dropped > Self.unheardLimit else { return }
    isKilled = true
    try signal(SIGKILL)
  }

  /// Output that waits for a slow reader before the guest is held back.
  private static let outputLimit = 256 << 10
  /// What a command may write to nobody before it is killed.
  private static let unheardLimit = 1 << 20
}

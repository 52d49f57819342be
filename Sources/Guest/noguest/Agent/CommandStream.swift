import AgentProtocol
import CGuest

/// One connection from the host, and the command that it runs.
final class CommandStream {
  /// Which of the stream's descriptors is ready.
  enum Role {
    case connection, outcome, input, output, errors
  }

  private enum Phase {
    /// Waits for the host's first frame.
    case opening
    /// Runs a command.
    case serving
    /// Asked for the end of the machine, and waits for the server to come to it.
    case ending
    /// The last frame is on its way.
    case closing
    /// The last frame is sent: waits for the host to close its side, so that nothing it still sends cuts short what it
    /// has yet to read.
    case lingering(until: Int64)
  }

  private var connection: Descriptor?
  private var decoder = FrameDecoder()
  private var buffer = OutputBuffer()
  private var phase = Phase.opening
  private var command: RunningCommand?
  private var window = InputWindow()
  /// Bytes the command has taken that the window has not been given back yet.
  private var owed = 0
  /// Signals that came before the command was there to get them.
  private var earlySignals: [UInt8] = []
  private var hasStarted = false
  /// Whether another stream may go on with the command.
  private var isResumable = false
  /// Until when the command waits for that.
  private var waitEnd: Int64?

  /// Credit is given in steps of this size: rare enough to cost nothing, often enough that the window never closes while
  /// the command reads.
  private static let creditStep = Int(Agent.initialInputWindow) / 4
  private static let lingerTime: Int64 = 5000
  private static let waitTime: Int64 = 30_000
  private static let earlySignalLimit = 64

  init(_ connection: consuming Descriptor) {
    self.connection = consume connection
  }

  /// Whether its command waits for another stream, which holds no connection up.
  var waits: Bool { waitEnd != nil }

  var isFinished: Bool { connection == nil && command == nil && waitEnd == nil }

  /// Whether this stream asked for the end of the machine, and its host has not left yet.
  private(set) var awaitsEnd = false

  /// The process group of the command, while it runs.
  var processGroup: Int32? { command?.identifier }

  // MARK: The loop

  func register(in poll: inout Poll<CommandServer.Source>) {
    if let number = connection?.number {
      poll.add(number, readable: true, writable: !buffer.isEmpty, for: .stream(self, .connection))
    }
    command?.register(in: &poll, outputHasRoom: buffer.hasRoom, for: self)
  }

  func ready(_ role: Role, _ readiness: Poll<CommandServer.Source>.Readiness, _ server: CommandServer) {
    switch role {
    case .connection: if readiness.readable { receive(server) }
    case .outcome: learnOutcome()
    case .input: break
    case .output: _ = command?.readOutput(into: &buffer)
    case .errors: _ = command?.readErrors(into: &buffer)
    }
  }

  /// What can be done without waiting, after anything has happened.
  func advance(now: Int64) {
    giveInput()
    command?.killIfDue(now: now)
    finishCommand()
    flush()
    // Room in the buffer may be all that the last of the output waited for.
    finishCommand()
    flush()
    if case .closing = phase, buffer.isEmpty {
      connection?.finishWriting()
      phase = .lingering(until: now + Self.lingerTime)
    }
    if case .lingering(let end) = phase, now >= end { connection = nil }
    if let end = waitEnd, now >= end {
      waitEnd = nil
      command?.hangUp(now: now)
    }
  }

  /// When ``advance(now:)`` has something to do even if nothing happens.
  var deadline: Int64? {
    if let time = command?.killTime ?? waitEnd { return time }
    if case .lingering(let end) = phase { return end }
    return nil
  }

  // MARK: From the server

  /// The process that ended, if it is this stream's. Answers whether it is.
  func processEnded(_ identifier: Int32, _ status: ExitStatus) -> Bool {
    guard let command, command.identifier == identifier else { return false }
    command.status = status
    return true
  }

  /// Everything is written back; answers the `shutdown` that this stream brought.
  func synced() {
    if case .ending = phase { finish(.synced) }
  }

  // MARK: From the host

  private func receive(_ server: CommandServer) {
    server.inbox.removeAll(keepingCapacity: true)
    do throws(SystemError) {
      guard let count = try connection?.read(into: &server.inbox), count > 0 else { return lose() }
    } catch {
      if error != .again, error != .interrupted { lose(error) }
      return
    }
    let bytes = server.inbox
    do throws(FrameError) {
      var offset = 0
      while let piece = try nextPiece(bytes, &offset) {
        let isAccepted =
          switch piece {
          case .frame(let frame): accept(frame, server)
          case .data(let type, let range): accept(type, bytes[range])
          }
        guard isAccepted else { return refuse("a frame that does not belong here") }
      }
    } catch {
      refuse("bytes that are no frame")
    }
  }

  /// The next piece, unless the stream is past taking any.
  private func nextPiece(_ bytes: Bytes, _ offset: inout Int) throws(FrameError) -> FramePiece? {
    switch phase {
    case .opening, .serving, .ending: try decoder.nextPiece(bytes, from: &offset)
    case .closing, .lingering: nil
    }
  }

  /// Acts on a frame. Answers false for one that breaks the rules.
  private func accept(_ frame: Frame, _ server: CommandServer) -> Bool {
    switch (phase, frame) {
    case (.opening, .exec(let command)):
      start(command, server)
    case (.opening, .shutdown(let mode)):
      phase = .ending
      awaitsEnd = true
      server.beginShutdown(mode)
    case (.serving, .endOfInput):
      command?.endInput()
    case (.serving, .signal(let number)):
      if hasStarted {
        command?.signal(number)
      } else if earlySignals.count < Self.earlySignalLimit {
        earlySignals.append(number)
      }
    case (.serving, .resize(let window)):
      command?.resize(window)
    default:
      return false
    }
    return true
  }

  private func accept(_ type: FrameType, _ data: ArraySlice<UInt8>) -> Bool {
    guard case .serving = phase, type == .stdin, window.spend(data.count) else { return false }
    command?.enqueue(data)
    return true
  }

  private func start(_ command: Command, _ server: CommandServer) {
    do throws(Failure) {
      guard !server.isEnding else { throw Failure(kind: .system, message: "the machine is shutting down") }
      isResumable = command.options.isDisjoint(with: [.builtIn, .detached])
      if command.options.contains(.builtIn), command.arguments[0] == "resume" {
        if server.resume(on: self) { return }
        throw Failure(kind: .notFound, message: "no command waits for its host")
      }
      self.command = try RunningCommand(command)
      phase = .serving
    } catch {
      finish(.failed(error))
    }
  }

  private func refuse(_ what: Bytes) {
    finish(.failed(Failure(kind: .protocolViolation, message: "the host sent " + what)))
    command?.hangUp(now: Clock.milliseconds)
  }

  /// The connection is gone, and with it whoever wanted the command; but where all connections are gone, with the machine's former
  /// life, somebody may come and resume it.
  private func lose(_ error: SystemError? = nil) {
    connection = nil
    if error == .notConnected, isResumable {
      switch phase {
      case .serving, .closing:
        waitEnd = Clock.milliseconds + Self.waitTime
        return
      default: break
      }
    }
    command?.hangUp(now: Clock.milliseconds)
  }

  /// Goes on with the command of a stream that waits for that. Answers whether it does.
  func resume(_ other: CommandStream) -> Bool {
    guard other.waitEnd != nil else { return false }
    other.waitEnd = nil
    (phase, hasStarted, isResumable) = (other.phase, other.hasStarted, true)
    earlySignals = other.earlySignals
    swap(&command, &other.command)
    // The former host's window had room for it: none of it is given back to this one.
    owed = -(command?.queuedInput ?? 0)
    if hasStarted { buffer.append(.started(pid: UInt32(command?.identifier ?? 0))) }
    buffer.append(encoded: other.buffer.rest())
    return true
  }

  // MARK: From the command

  private func learnOutcome() {
    guard let command, command.isStarting else { return }
    switch command.readOutcome() {
    case .pending: break
    case .started:
      hasStarted = true
      buffer.append(.started(pid: UInt32(command.identifier)))
      for number in earlySignals { command.signal(number) }
      earlySignals = []
      if command.isDetached {
        // From here on it is an orphan like any other.
        phase = .closing
        self.command = nil
      }
    case .failed(let frame):
      buffer.append(encoded: frame)
      phase = .closing
      // The process that did not become the command is the server's to reap.
      self.command = nil
    }
  }

  private func giveInput() {
    guard let command else { return }
    owed += command.drainInput()
    guard owed >= Self.creditStep, case .serving = phase else { return }
    window.grant(UInt32(owed))
    buffer.append(.credit(UInt32(owed)))
    owed = 0
  }

  private func finishCommand() {
    // A process that ended may have told why it never became the command.
    if command?.status != nil { learnOutcome() }
    guard let command, let status = command.status else { return }
    guard case .serving = phase, connection != nil || waitEnd != nil else {
      // Nobody is left to be told.
      self.command = nil
      return
    }
    guard command.drainOutput(into: &buffer) else { return }
    self.command = nil
    switch status {
    case .exited(let code): finish(.exited(code: code))
    case .signaled(let number): finish(.signaled(number))
    }
  }

  // MARK: To the host

  /// Sends the last frame.
  private func finish(_ frame: Frame) {
    buffer.append(frame)
    phase = .closing
  }

  private func flush() {
    do throws(SystemError) { try connection?.drain(&buffer) } catch { lose(error) }
  }
}

import AgentProtocol
import Glibc
import Host
import Logging

/// A command in a machine with the caller's terminal, input, output and signals.
package final class AttachedCommand {
  /// The descriptors that the command's stand for.
  package struct Attachment: Sendable {
    package var input: Int32?
    package var output: Int32
    package var error: Int32

    package init(input: Int32? = STDIN_FILENO, output: Int32 = STDOUT_FILENO, error: Int32 = STDERR_FILENO) {
      self.input = input
      self.output = output
      self.error = error
    }
  }

  private let command: Command
  private let attachment: Attachment
  private let loop: PollLoop
  /// Seconds from the command's start on, after which it is ended.
  package var timeout: Double?
  private var session: Session?
  private var terminal: Terminal?
  /// The last signal that was passed on to the command, and when.
  private var lastSignal: (number: Int32, time: MonotonicTime)?

  package init(_ command: Command, attachment: Attachment = Attachment(), loop: PollLoop) {
    self.command = command
    self.attachment = attachment
    self.loop = loop
  }

  deinit { terminal?.restore() }

  /// Whether the command was asked for, so that the guest may hold what it wrote.
  var wasSent: Bool { session != nil }
  /// Why output could not be written, if not because its reader went away.
  package var outputFault: Errno? { session?.outputFault }

  /// Runs the command until its end.
  ///
  /// - Returns: its exit status, 128 and its number for a signal; nil if the stream ended before the command.
  package func run(on connection: AgentConnection, timings: Timings = Timings()) throws(NovmError) -> Int32? {
    try run(on: connection, isRunning: false, timings: timings)
  }

  /// Stays with a command that runs until its end, or until the caller leaves it.
  ///
  /// - Returns: as of ``run(on:timings:)``; 0 if the caller left it.
  package func attach(to connection: AgentConnection) throws(NovmError) -> Int32? {
    try run(on: connection, isRunning: true, timings: Timings())
  }

  private func run(
    on connection: AgentConnection, isRunning: Bool, timings: Timings
  ) throws(NovmError) -> Int32? {
    if command.options.contains(.terminal), let input = attachment.input { terminal = Terminal(input) }
    defer { terminal?.restore() }
    let session = try Session(
      command, on: connection, loop: loop, input: attachment.input, output: OutputStream(attachment.output),
      error: OutputStream(attachment.error), isRunning: isRunning)
    self.session = session
    terminal?.enterRawMode()
    try loop.run { session.isStarted || session.result != nil }
    // The terminal has the size that it was made with.
    if isRunning { try resize() }
    timings.mark("command")
    let limit = timeout.map { CommandTimeout(session, seconds: $0) }
    if let limit { loop.add(limit) }
    defer { if let limit { loop.remove(limit) } }
    try loop.run { session.result != nil }
    timings.mark("ended")
    session.leave(loop)
    switch session.result {
    case .failed(let failure)?: throw .commandFailed(command: command.arguments.first ?? [], failure)
    case let end: return limit.map { $0.status(end?.exitStatus) } ?? end?.exitStatus
    }
  }

  /// Takes the session's parts out of the loop, wherever it is.
  func leave() { session?.leave(loop) }

  // MARK: Signals

  package static let signals = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP, SIGPIPE,
  ]

  /// A second one within this time ends novm rather than the command.
  private static let insistence: UInt64 = 1_000_000_000

  package func received(_ signal: Int32) throws(NovmError) {
    switch signal {
    case SIGPIPE:
      // Blocked, so that a write to a closed pipe is an error.
      return
    case SIGWINCH:
      try resize()
    case SIGCONT:
      terminal?.enterRawMode()
      try resize()
    case SIGTSTP:
      terminal?.restore()
      kill(getpid(), SIGSTOP)
    default:
      guard let session, session.result == nil else { throw .interrupted(signal) }
      let now = MonotonicTime.now
      if let last = lastSignal, last.number == signal, [SIGINT, SIGTERM].contains(signal),
        now.nanoseconds - last.time.nanoseconds < Self.insistence
      {
        throw .interrupted(signal)
      }
      lastSignal = (signal, now)
      try session.signal(signal)
    }
  }

  private func resize() throws(NovmError) {
    if let window = Terminal.windowSize() { try session?.resize(window) }
  }
}

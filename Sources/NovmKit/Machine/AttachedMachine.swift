import AgentProtocol
import Glibc
import Host
import Logging
import Store

/// One machine for one command, with the caller's terminal, input, output and signals: what `novm run` is.
package final class AttachedMachine {
  /// What a caller may choose besides the machine and the command.
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

  private let request: MachineRequest
  private let kernel: KernelFiles
  private let command: Command
  private let attachment: Attachment
  private let timings: Timings
  private let logger: Logger

  /// Held until the end.
  private var volumes: [Volume] = []
  private let loop = PollLoop()
  private var session: Session?
  private var terminal: Terminal?
  /// The last signal that was passed on to the command, and when.
  private var lastSignal: (number: Int32, time: MonotonicTime)?

  package init(
    _ request: MachineRequest, kernel: KernelFiles, command: Command, attachment: Attachment = Attachment(),
    timings: Timings, logger: Logger
  ) {
    self.request = request
    self.kernel = kernel
    self.command = command
    self.attachment = attachment
    self.timings = timings
    self.logger = logger
  }

  /// Makes a machine, runs the command in it, and leaves nothing of it behind.
  ///
  /// - Returns: the command's exit status, 128 and its number for a signal.
  ///
  /// - Parameter volumes: the directory of all volumes.
  package func run(store: MachineStore, volumes: String, novmm: String) throws(NovmError) -> Int32 {
    // First, so that no signal ends novm with something to remove.
    let signals = try SignalInbox(Self.signals) { [unowned self] signal throws(NovmError) in try received(signal) }
    loop.add(signals)
    let directory: MachineDirectory
    do throws(StoreError) {
      for stale in try store.removeStale() { logger.debug("removed what machine \(stale) left behind") }
      for volume in request.volumes { self.volumes.append(try Volume(volume.name, in: volumes)) }
      directory = try store.create()
    } catch {
      throw .store(error)
    }
    var result: Result<Int32, NovmError>
    do throws(NovmError) {
      result = .success(try run(in: directory, novmm: novmm))
    } catch {
      result = .failure(error)
    }
    do throws(StoreError) {
      try directory.remove()
    } catch {
      if case .success = result { result = .failure(.store(error)) }
    }
    timings.mark("end")
    return try result.get()
  }

  private func run(in directory: MachineDirectory, novmm: String) throws(NovmError) -> Int32 {
    defer { terminal?.restore() }
    try request.validateStore(scratch: directory.root, volumes: volumes.map(\.tree))
    let hello = try HelloListener(vsock: directory.vsock, loop: loop)
    loop.add(hello)
    let marks = try MachineMarks(into: timings)
    loop.add(marks)
    let process = try start(novmm, directory, marks)
    do throws(NovmError) {
      try awaitHello(hello, process)
      let status = try runCommand(directory, process)
      let outputFault = session?.outputFault
      try shutDown(directory, process)
      try marks.ready(POLLIN)
      if let outputFault { throw NovmError.output(outputFault) }
      return status
    } catch {
      // The guest may still hold what it wrote to a directory of the user's.
      if session != nil, process.end == nil { try? shutDown(directory, process) }
      process.kill()
      throw error
    }
  }

  // MARK: Start

  private func start(
    _ novmm: String, _ directory: MachineDirectory, _ marks: MachineMarks
  ) throws(NovmError) -> MachineProcess {
    let description = request.compose(
      kernel: kernel, scratch: directory.root, volumes: volumes.map(\.tree))
    var arguments = ByteArguments()
    arguments.append("--vsock", directory.vsock)
    arguments.append("--timings", "fd:\(marks.writer)")
    var inherited = [marks.writer, directory.lockDescriptor] + volumes.map(\.lockDescriptor)
    // Under a number of its own: novmm's standard error is a pipe to us.
    let log = FileDescriptor(owning: fcntl(attachment.error, F_DUPFD_CLOEXEC, 3))
    if description.serialLog {
      arguments.append("--com1", "fd:\(log.raw)")
      inherited.append(log.raw)
    }
    timings.mark("spawn")
    logger.debug("starting \(novmm)")
    let process = try MachineProcess(
      program: novmm, arguments: description.arguments + arguments.values, inherited: inherited)
    _ = log.raw
    process.onMessage = { [logger] line in logger.debug("novmm: \(line)") }
    loop.add(process)
    return process
  }

  private func awaitHello(_ listener: HelloListener, _ process: MachineProcess) throws(NovmError) {
    try loop.run { listener.hello != nil || process.end != nil }
    if let end = process.end { throw .machineEnded(end) }
    timings.mark("ready")
    logger.debug("the guest is ready: Linux \(String(decoding: listener.hello?.kernelRelease ?? [], as: UTF8.self))")
  }

  // MARK: Command

  private func runCommand(_ directory: MachineDirectory, _ process: MachineProcess) throws(NovmError) -> Int32 {
    if command.options.contains(.terminal), let input = attachment.input {
      terminal = Terminal(input)
    }
    let connection = try AgentConnection(vsock: directory.vsock)
    let session = try Session(
      command, on: connection, loop: loop, input: attachment.input, output: attachment.output,
      error: attachment.error)
    self.session = session
    terminal?.enterRawMode()
    try loop.run { session.isStarted || session.result != nil }
    timings.mark("command")
    try loop.run { session.result != nil }
    timings.mark("ended")
    terminal?.restore()
    switch session.result {
    case .failed(let failure)?:
      throw .commandFailed(command: command.arguments.first ?? [], failure)
    case .lost?, nil:
      // If the machine went, it says why.
      try loop.run(until: .after(milliseconds: 3000)) { process.end != nil }
      if let end = process.end { throw .machineEnded(end) }
      throw .agentLost
    case let end?:
      logger.debug("the command ended: \(end)")
      return end.exitStatus ?? 125
    }
  }

  // MARK: End

  /// Lets the guest write back what it holds, and waits for novmm's end, but not for ever.
  private func shutDown(_ directory: MachineDirectory, _ process: MachineProcess) throws(NovmError) {
    if let session { session.leave(loop) }
    session = nil
    if let connection = try? AgentConnection(vsock: directory.vsock) {
      let shutdown = try Shutdown(.end, on: connection, loop: loop)
      try loop.run(until: .after(milliseconds: Self.grace)) { shutdown.isDone || process.end != nil }
      logger.debug(shutdown.isDone ? "the guest has written everything back" : "the guest does not answer")
      loop.remove(connection)
    }
    for signal in [nil, SIGTERM, SIGKILL] {
      if let signal {
        logger.debug("ending novmm with signal \(signal)")
        process.signal(signal)
      }
      if try loop.run(until: .after(milliseconds: Self.grace / 2), { process.end != nil }) { break }
    }
    timings.mark("gone")
  }

  /// How long a guest may take to write back, in milliseconds.
  private static let grace: UInt64 = 10_000

  // MARK: Signals

  private static let signals = [
    SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP, SIGPIPE,
  ]

  /// A second one within this time ends the machine rather than the command.
  private static let insistence: UInt64 = 1_000_000_000

  private func received(_ signal: Int32) throws(NovmError) {
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

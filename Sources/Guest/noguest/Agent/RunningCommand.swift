import AgentProtocol
import CGuest

/// A command's process and this side of its streams.
final class RunningCommand {
  /// The process, its session and its process group have this identifier.
  let identifier: Int32
  let isTerminal: Bool
  /// Whether the command goes on by itself once it has started.
  let isDetached: Bool

  /// Until exec has happened: its other end closes on exec, or carries the frame that says why there was none.
  private var outcome: Descriptor?
  /// Standard output, or the terminal's master.
  private var output: Descriptor?
  /// The terminal's other side, open for as long as the process lives: it may close its own and go on, and when all are closed
  /// the master says EIO for good, which to close would hang the process up.
  private var slave: Descriptor?
  private var errors: Descriptor?
  /// Standard input, unless that is the terminal.
  private var input: Descriptor?
  private var queue = InputQueue()
  private var inputEnds = false
  /// Bytes that it has not taken yet.
  var queuedInput: Int { queue.count }

  /// Set when the process has ended and been reaped.
  var status: ExitStatus? {
    didSet { slave = nil }
  }
  /// When the process group is killed, once it has been hung up.
  private(set) var killTime: Int64?
  /// Bytes that may still be read after the end of the process.
  private var remainder = RunningCommand.remainderLimit

  /// The most that is left in a pipe by a process without privileges (pipe(7), `pipe-max-size`). What goes on writing
  /// after the command is not the command.
  private static let remainderLimit = 1 << 20
  /// How long a command whose host is gone may tidy up.
  private static let hangUpGrace: Int64 = 2000

  /// Forks the process. Whether exec succeeds is told by ``readOutcome()`` later.
  init(_ command: Command) throws(Failure) {
    do throws(SystemError) {
      isTerminal = command.options.contains(.terminal)
      isDetached = command.options.contains(.detached)
      let outcome = try Pipe()
      if isDetached {
        let nothing = try Descriptor.open("/dev/null", O_RDWR)
        identifier = try Self.fork(command, (nothing.number, nothing.number, nothing.number), outcome.writer)
      } else if isTerminal {
        let pair = try Terminal.open(command.window)
        let slave = pair.slave.number
        identifier = try Self.fork(command, (slave, slave, slave), outcome.writer)
        output = consume pair.master
        self.slave = consume pair.slave
      } else {
        let output = try Pipe()
        let errors = try Pipe()
        if command.options.contains(.input) {
          let input = try Pipe()
          identifier = try Self.fork(
            command, (input.reader.number, output.writer.number, errors.writer.number), outcome.writer)
          self.input = input.takeWriter()
        } else {
          let input = try Self.emptyInput()
          identifier = try Self.fork(
            command, (input.number, output.writer.number, errors.writer.number), outcome.writer)
        }
        self.output = output.takeReader()
        self.errors = errors.takeReader()
      }
      self.outcome = outcome.takeReader()
    } catch {
      throw Failure(.system, error, "starting a process")
    }
    do throws(SystemError) {
      try outcome?.setNonBlocking()
      try output?.setNonBlocking()
      try errors?.setNonBlocking()
      try input?.setNonBlocking()
    } catch {
      hangUp(now: Clock.milliseconds)
      throw Failure(.system, error, "starting a process")
    }
  }

  private static func fork(
    _ command: Command, _ streams: (input: Int32, output: Int32, errors: Int32), _ outcome: borrowing Descriptor
  ) throws(SystemError) -> Int32 {
    if let identifier = try Processes.fork() { return identifier }
    let launch = Launch(command: command, isTerminal: command.options.contains(.terminal), streams: streams)
    if command.options.contains(.builtIn) {
      // Nothing is executed that would close what is not the child's; the outcome's end says that it has started.
      do throws(Failure) { try launch.connect() } catch {
        _ = try? outcome.write(error.frame)
        _exit(127)
      }
      Descriptor.closeAll(from: 3)
      _exit(BuiltIn.run(command.arguments))
    }
    _ = try? outcome.write(launch.run().frame)
    _exit(127)
  }

  /// `/dev/null`, or where there is none a pipe that nobody writes to.
  private static func emptyInput() throws(SystemError) -> Descriptor {
    do throws(SystemError) { return try Descriptor.open("/dev/null", O_RDONLY) } catch {
      return try Pipe().takeReader()
    }
  }

  func register(in poll: inout Poll<CommandServer.Source>, outputHasRoom: Bool, for stream: CommandStream) {
    if let number = outcome?.number { poll.add(number, readable: true, for: .stream(stream, .outcome)) }
    if !queue.isEmpty, let number = isTerminal ? output?.number : input?.number {
      poll.add(number, writable: true, for: .stream(stream, .input))
    }
    // Output follows `started`, so that the host learns first what it is the output of.
    guard outputHasRoom, !isStarting else { return }
    if let number = output?.number { poll.add(number, readable: true, for: .stream(stream, .output)) }
    if let number = errors?.number { poll.add(number, readable: true, for: .stream(stream, .errors)) }
  }

  // MARK: Starting

  var isStarting: Bool { outcome != nil }

  enum Outcome {
    case pending
    case started
    /// An encoded `failed` frame.
    case failed(Bytes)
  }

  func readOutcome() -> Outcome {
    var frame: Bytes = []
    do throws(SystemError) { _ = try outcome?.read(into: &frame, limit: 4096) } catch {
      if error == .again || error == .interrupted { return .pending }
    }
    outcome = nil
    return frame.isEmpty ? .started : .failed(frame)
  }

  // MARK: Input

  func enqueue(_ bytes: ArraySlice<UInt8>) {
    if !inputEnds { queue.append(bytes) }
  }

  func endInput() {
    guard !inputEnds else { return }
    // A terminal has no end of input, only a character that a program in cooked mode takes for it, and behind an
    // unfinished line the first one merely hands the line over (termios(3), VEOF).
    if isTerminal, let character = output?.endOfFileCharacter {
      let unfinished = queue.lastByte.map { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") } ?? false
      queue.append([character, character].prefix(unfinished ? 2 : 1))
    }
    inputEnds = true
  }

  /// Writes what the command takes. Answers how many bytes of the window that frees.
  func drainInput() -> Int {
    var freed = 0
    do throws(SystemError) {
      // Without a descriptor nobody reads.
      let taken = isTerminal ? try output?.drain(&queue) : try input?.drain(&queue)
      freed = taken ?? queue.discard()
      if queue.isEmpty, inputEnds { input = nil }
    } catch {
      // Nobody reads any more: as with a shell's pipe, the rest goes nowhere.
      freed = queue.discard()
      input = nil
    }
    return freed
  }

  // MARK: Output

  /// Reads once from standard output into `buffer`; lets go of the descriptor at its end. Answers whether it read any.
  func readOutput(into buffer: inout OutputBuffer) -> Bool { read(&output, .stdout, &buffer) }
  func readErrors(into buffer: inout OutputBuffer) -> Bool { read(&errors, .stderr, &buffer) }

  private func read(_ descriptor: inout Descriptor?, _ type: FrameType, _ buffer: inout OutputBuffer) -> Bool {
    do throws(SystemError) {
      guard let count = try descriptor?.read(type, into: &buffer) else { return false }
      if count > 0 {
        if status != nil { remainder -= count }
        return true
      }
    } catch {
      if error == .interrupted { return true }
      if error == .again, status == nil { return false }
    }
    // The end. After the process, what is not there yet is not its.
    descriptor = nil
    return false
  }

  /// After the end of the process: reads what it has left, as far as `buffer` has room. Answers whether that was all.
  func drainOutput(into buffer: inout OutputBuffer) -> Bool {
    while buffer.hasRoom, remainder > 0, readOutput(into: &buffer) {}
    while buffer.hasRoom, remainder > 0, readErrors(into: &buffer) {}
    return remainder <= 0 || (output == nil && errors == nil)
  }

  // MARK: Control

  func signal(_ number: UInt8) {
    if status == nil { Processes.signal(group: identifier, Int32(number)) }
  }

  func resize(_ window: WindowSize) {
    if isTerminal { output?.resize(window) }
  }

  /// The host is gone: closes the streams, tells the process group, and kills it if it stays.
  func hangUp(now: Int64) {
    guard killTime == nil else { return }
    input = nil
    output = nil
    slave = nil
    errors = nil
    _ = queue.discard()
    signal(UInt8(SIGHUP))
    signal(UInt8(SIGCONT))
    killTime = now + Self.hangUpGrace
  }

  func killIfDue(now: Int64) {
    guard let time = killTime, now >= time else { return }
    signal(UInt8(SIGKILL))
    // Until it is reaped there is nothing more to do; it may be in the middle of a slow read.
    killTime = .max
  }
}

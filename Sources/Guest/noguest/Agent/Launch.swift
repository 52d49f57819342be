import AgentProtocol
import CGuest

/// The new process's side of starting a command: everything between fork and exec.
///
/// It runs in the child alone, so it may block, fail and allocate without anybody waiting.
struct Launch {
  let command: Command
  let isTerminal: Bool
  /// The descriptors that become standard input, output and error.
  let streams: (input: Int32, output: Int32, errors: Int32)

  /// For what is built in: a session and the standard streams, and nothing of the tree's.
  func connect() throws(Failure) {
    guard !isTerminal else { throw Failure(kind: .protocolViolation, message: "what is built in takes no terminal") }
    try isolate()
    try takeStreams()
    Signals.restoreDefaults()
  }

  /// Becomes the command; comes back only with why it did not.
  func run() -> Failure {
    do throws(Failure) {
      let accounts = Accounts.ofTree()
      let identity: Identity
      do throws(UnknownAccount) { identity = try accounts.identity(of: command.user) } catch {
        throw Failure(kind: .rejected, message: error.text)
      }
      try isolate()
      try connect(owner: identity, terminalGroup: accounts.terminalGroup)
      try setLimits()
      do throws(SystemError) { try identity.assume() } catch {
        throw Failure(.rejected, error, "cannot become user '" + command.user + "'")
      }
      let directory = command.directory.isEmpty ? "/" : command.directory
      do throws(SystemError) { try Files.changeDirectory(directory) } catch {
        guard command.options.contains(.directoryMayMiss), (try? Files.changeDirectory("/")) != nil else {
          throw Failure(.rejected, error, "working directory " + directory)
        }
      }
      var environment = Environment(command.environment)
      environment.supply("PATH", Environment.defaultPath)
      environment.supply("HOME", identity.home)
      if isTerminal { environment.supply("TERM", "xterm") }
      Signals.restoreDefaults()
      return execute(environment)
    } catch {
      return error
    }
  }

  private func setLimits() throws(Failure) {
    for start in stride(from: 0, to: command.limitRecords.count, by: ResourceLimit.size) {
      let result = unsafe command.limitRecords.withUnsafeBufferPointer {
        unsafe cguest_set_limit($0.baseAddress! + start)
      }
      if result < 0 {
        let name = ResourceLimit.names[Int(command.limitRecords[start])]
        throw Failure(.rejected, .last, "limit " + Bytes(stringLiteral: name))
      }
    }
  }

  /// A session and process group of its own, so that signals reach the command and what it starts, and nothing else.
  private func isolate() throws(Failure) {
    do throws(SystemError) { try check(setsid()) } catch { throw Failure(.system, error, "setsid") }
  }

  private func connect(owner: Identity, terminalGroup: UInt32?) throws(Failure) {
    if isTerminal {
      do throws(SystemError) { try check(cguest_ioctl_number(streams.input, UInt(TIOCSCTTY), 0)) } catch {
        throw Failure(.system, error, "controlling terminal")
      }
      // The user can open its own terminal, and nobody else can read it (devpts with gid= does the same). Without the
      // right to give it away it is the user's already.
      _ = fchown(streams.input, owner.user, terminalGroup ?? owner.group)
      _ = fchmod(streams.input, terminalGroup == nil ? 0o600 : 0o620)
    } else if owner.user != 0 {
      // So that the command can open /dev/stdin, /dev/stdout and /dev/stderr (proc_pid_fd(5)): they are pipes of ours.
      for stream in [streams.input, streams.output, streams.errors] where cguest_is_fifo(stream) {
        _ = fchown(stream, owner.user, owner.group)
      }
    }
    try takeStreams()
  }

  private func takeStreams() throws(Failure) {
    do throws(SystemError) {
      try check(dup2(streams.input, 0))
      try check(dup2(streams.output, 1))
      try check(dup2(streams.errors, 2))
    } catch {
      throw Failure(.system, error, "standard streams")
    }
  }

  /// Looks the command up as execvp(3) does, and executes it.
  private func execute(_ environment: Environment) -> Failure {
    let name = command.arguments[0]
    if name.isEmpty { return Failure(kind: .notFound, message: "the command's name is empty") }
    if name.contains(UInt8(ascii: "/")) {
      return failure(name, Processes.execute(name, command.arguments, environment.entries))
    }
    var refused: Failure?
    for directory in (environment["PATH"] ?? []).parts(at: UInt8(ascii: ":")) {
      // An empty part is the working directory (execvp(3)).
      let path = (directory.isEmpty ? "." : directory) + "/" + name
      let error = Processes.execute(path, command.arguments, environment.entries)
      switch error {
      case .noEntry where !Files.exists(path), .notDirectory, .nameTooLong: continue
      case .noAccess where refused == nil: refused = failure(path, error)
      case .noAccess: continue
      default: return failure(path, error)
      }
    }
    return refused ?? Failure(kind: .notFound, errno: UInt32(ENOENT), message: name + ": command not found in PATH")
  }

  private func failure(_ path: Bytes, _ error: SystemError) -> Failure {
    switch error {
    case .noEntry where Files.exists(path):
      // It is there, so what is not is what it names in its first line or its program headers.
      Failure(kind: .notExecutable, errno: UInt32(ENOENT), message: path + ": its interpreter or loader is missing")
    case .noEntry, .notDirectory, .nameTooLong: Failure(.notFound, error, path)
    case .noAccess where Files.isDirectory(path):
      Failure(kind: .notExecutable, errno: UInt32(EACCES), message: path + ": is a directory")
    default: Failure(.notExecutable, error, path)
    }
  }
}

extension Failure {
  init(_ kind: Kind, _ error: SystemError, _ what: Bytes) {
    self.init(kind: kind, errno: UInt32(error.number), message: what + ": " + error.text)
  }

  /// The frame, with the message cut so that a pipe takes it in one piece (pipe(7), `PIPE_BUF`).
  var frame: Bytes {
    var short = self
    short.message = Bytes(message.prefix(1024))
    return (try? Frame.failed(short).encoded()) ?? []
  }
}

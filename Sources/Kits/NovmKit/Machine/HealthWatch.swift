import AgentProtocol

/// Runs a machine's health check every now and then, and has written down how its command fares.
///
/// Nothing that goes wrong with a check is the machine's trouble: it is a check that failed.
final class HealthWatch: PollSource {
  private let check: HealthCheck
  private let command: Command
  private let machine: RunningMachine
  private let life: MachineLife
  private let loop: PollLoop
  private let begin = MonotonicTime.now
  private var health = Health()
  private var probe: Session?
  private let output = ErrorText()
  private(set) var deadline: MonotonicTime?

  /// - Returns: nil for a command without a check.
  init?(_ process: CommandSettings?, on machine: RunningMachine, loop: PollLoop, _ life: MachineLife) {
    guard let process, let check = process.health?.bounded, !check.command.isEmpty else { return nil }
    // As the command's own user, where it is.
    var settings = process
    settings.command = check.command
    (settings.terminal, settings.input) = (false, false)
    self.check = check
    command = settings.agentCommand
    self.machine = machine
    self.life = life
    self.loop = loop
    try? life.fares(health)
    pause()
    loop.add(self)
  }

  /// No more checks.
  func leave() {
    end()
    deadline = nil
    loop.remove(self)
  }

  var interest: PollInterest? { nil }
  func ready(_ events: Int32) {}

  func expired() throws(NovmError) {
    if let probe {
      // A guest that stands still takes longer.
      if probe.result == nil, isPaused {
        deadline = .after(milliseconds: Self.milliseconds(check.timeout))
      } else {
        finish(probe)
      }
    } else if isPaused {
      pause()
    } else {
      start()
    }
  }

  private var isPaused: Bool {
    // All that the supervisor does waits for the answer.
    guard var control = MonitorControl(machine.directory.record) else { return false }
    control.patience = 1000
    return control.isPaused
  }

  private var isEarly: Bool {
    MonotonicTime.now < begin.advanced(milliseconds: Self.milliseconds(check.startPeriod))
  }

  private static func milliseconds(_ seconds: Double) -> UInt64 { UInt64(seconds * 1000) }

  /// Until the next one.
  private func pause() {
    let seconds = isEarly && health.status == .starting ? min(check.startInterval, check.interval) : check.interval
    deadline = .after(milliseconds: Self.milliseconds(seconds))
  }

  private func start() {
    output.clear()
    do throws(NovmError) {
      let probe = try Session(
        command, on: machine.connect(), loop: loop, input: nil, output: output, error: output)
      probe.staysApart()
      probe.onEnd = { [unowned self] in deadline = .past }
      self.probe = probe
      deadline = .after(milliseconds: Self.milliseconds(check.timeout))
    } catch {
      take(false, error.message)
    }
  }

  private func finish(_ probe: Session) {
    let words = output.text
    switch probe.result {
    case .exited(let status)?: take(status == 0, words)
    case .signaled(let signal)?: take(false, "\(words)ended by signal \(signal)")
    case .failed(let failure)?:
      take(false, NovmError.commandFailed(command: command.arguments.first ?? [], failure).message)
    case .lost?, .detached?: take(false, "\(words)the machine's agent did not answer")
    case nil: take(false, "\(words)no end within \(Int(check.timeout)) seconds")
    }
  }

  private func take(_ succeeded: Bool, _ words: String) {
    end()
    let before = health
    health.take(succeeded: succeeded, output: words, isEarly: isEarly, check)
    if health != before { try? life.fares(health) }
    pause()
  }

  /// The agent ends what nobody listens to any more.
  private func end() {
    probe?.leave(loop)
    probe = nil
  }
}

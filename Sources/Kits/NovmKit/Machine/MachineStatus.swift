import Store

/// What people see of a machine's life.
package enum MachineStatus: Equatable, Sendable {
  /// Made and never started.
  case created
  /// On its way to its first command.
  case starting
  case running
  /// Its processors stand still until they are let go on.
  case paused
  /// Its command ended, or it was stopped, with a status.
  case exited(Int32)
  /// It could not run, or not go on.
  case failed(String)
  /// Its processes were killed, and nobody wrote down when.
  case killed

  /// What the status follows from, of what is written down about a machine that was started.
  package struct Facts {
    package var isReady: Bool
    package var isFinished: Bool
    package var exitStatus: Int32?
    package var error: String?
  }

  /// - Parameter facts: nil for a machine that was never started.
  package init(isAlive: Bool, _ facts: Facts?) {
    switch (isAlive, facts) {
    case (true, let facts?) where facts.isReady && !facts.isFinished: self = .running
    case (true, _): self = .starting
    case (false, nil): self = .created
    case (false, let facts?):
      if let error = facts.error {
        self = .failed(error)
      } else if let status = facts.exitStatus {
        self = .exited(status)
      } else {
        self = .killed
      }
    }
  }

  /// Asks the monitor of a machine that runs whether it is paused.
  package init(_ record: MachineRecord, _ facts: Facts?) {
    self.init(isAlive: record.isAlive, facts)
    if self == .running, MonitorControl(record)?.isPaused == true { self = .paused }
  }

  package init(_ record: MachineRecord, _ state: MachineState?) {
    self.init(
      record,
      state.map {
        Facts(isReady: $0.isReady, isFinished: $0.finished != nil, exitStatus: $0.exitStatus, error: $0.error)
      })
  }

  /// Whether one of its processes lives.
  package var isAlive: Bool {
    switch self {
    case .starting, .running, .paused: true
    case .created, .exited, .failed, .killed: false
    }
  }

  /// Whether its command is under way, though it may stand still.
  package var isRunning: Bool { self == .running || self == .paused }

  /// One word.
  package var name: String {
    switch self {
    case .created: "created"
    case .starting: "starting"
    case .running: "running"
    case .paused: "paused"
    case .exited: "exited"
    case .failed: "failed"
    case .killed: "killed"
    }
  }

  package var text: String {
    if case .exited(let status) = self { return "exited (\(status))" }
    return name
  }
}

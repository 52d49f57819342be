import Store

/// What people see of a machine's life.
package enum MachineStatus: Equatable, Sendable {
  /// Made and never started.
  case created
  /// On its way to its first command.
  case starting
  case running
  /// Its command ended, or it was stopped, with a status.
  case exited(Int32)
  /// It could not run, or not go on.
  case failed(String)
  /// Its processes were killed, and nobody wrote down when.
  case killed

  package init(_ record: MachineRecord, _ state: MachineState?) {
    switch (record.isAlive, state) {
    case (true, let state?) where state.isReady && state.finished == nil: self = .running
    case (true, _): self = .starting
    case (false, nil): self = .created
    case (false, let state?):
      if let error = state.error {
        self = .failed(error)
      } else if let status = state.exitStatus {
        self = .exited(status)
      } else {
        self = .killed
      }
    }
  }

  /// One word.
  package var name: String {
    switch self {
    case .created: "created"
    case .starting: "starting"
    case .running: "running"
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

import NovmKit

/// How a machine fares.
public enum MachineState: Equatable, Sendable {
  /// Made and never started.
  case created
  /// On its way to taking commands.
  case starting
  case running
  /// Its processors stand still until they are let go on.
  case paused
  /// Its command ended, or it was stopped, with a status.
  case exited(Int32)
  /// It could not run, or not go on: why, such as what its kernel said as it panicked.
  case failed(String)
  /// Its processes were killed, and nobody wrote down when.
  case killed
  /// It was removed.
  case removed

  init(_ status: MachineStatus) {
    self =
      switch status {
      case .created: .created
      case .starting: .starting
      case .running: .running
      case .paused: .paused
      case .exited(let status): .exited(status)
      case .failed(let words): .failed(words)
      case .killed: .killed
      }
  }

  /// One word: `created`, `starting`, `running`, `paused`, `exited`, `failed`, `killed`, `removed`.
  public var name: String {
    switch self {
    case .created: "created"
    case .starting: "starting"
    case .running: "running"
    case .paused: "paused"
    case .exited: "exited"
    case .failed: "failed"
    case .killed: "killed"
    case .removed: "removed"
    }
  }

  /// Whether it has ended for good, unless it is started again.
  public var isOver: Bool {
    switch self {
    case .exited, .failed, .killed, .removed: true
    case .created, .starting, .running, .paused: false
    }
  }
}

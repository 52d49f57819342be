/// How a machine came to its end. Each has an exit status of its own.
package enum Outcome: Equatable, Sendable {
  /// The guest switched itself off.
  case poweredOff
  /// The guest rebooted, which ends a machine: whoever started it may start it again.
  case reset
  /// The guest's kernel panicked and said so.
  case panicked
  /// A triple fault. `report` says where, with registers.
  case tripleFault(report: String)
  /// KVM could not go on, or the guest did what this machine has no part for. `report` says what, with registers.
  case failed(report: String)
  /// A signal, or the end of whoever held the lifeline, ended the machine without the guest's consent.
  case ended(signal: Int32)

  /// What there is to say of it besides its status.
  package var report: String? {
    switch self {
    case .tripleFault(let report), .failed(let report): report
    case .poweredOff, .reset, .panicked, .ended: nil
    }
  }

  /// Its name, for the log.
  package var name: String {
    switch self {
    case .poweredOff: "powered off"
    case .reset: "reset"
    case .panicked: "panicked"
    case .tripleFault: "triple fault"
    case .failed: "failed"
    case .ended(let signal): "by signal \(signal)"
    }
  }

  /// The process's exit status.
  package var status: Int32 {
    switch self {
    case .poweredOff: 0
    case .reset: 3
    case .panicked: 4
    case .tripleFault: 5
    case .failed: 6
    case .ended(let signal): 128 + signal
    }
  }
}

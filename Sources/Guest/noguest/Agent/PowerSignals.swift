import AgentProtocol
import CGuest

/// What `kill 1`, `poweroff` and `reboot` send to PID 1: the numbers that busybox's and systemd's init have in common
/// with everybody else's scripts.
enum PowerSignals {
  private static let realTime: Int32 = 34  // SIGRTMIN as the C library counts

  static var numbers: [Int32] {
    [SIGTERM, SIGINT, SIGPWR, SIGUSR1, SIGUSR2, realTime + 3, realTime + 4, realTime + 5]
  }

  static func mode(of number: Int32) -> ShutdownMode? {
    switch number {
    case SIGUSR2, SIGPWR, realTime + 4: .powerOff
    case SIGTERM, SIGINT, realTime + 5: .reboot
    case SIGUSR1, realTime + 3: .halt
    default: nil
    }
  }

  /// systemd(1), "Signals". For `end` it stops no units: it kills, unmounts and powers off.
  static func ofSystemd(_ mode: ShutdownMode) -> Int32 {
    switch mode {
    case .halt: realTime + 3
    case .powerOff: realTime + 4
    case .reboot: realTime + 5
    case .end: realTime + 14
    }
  }

  static func ofBusybox(_ mode: ShutdownMode) -> Int32 {
    switch mode {
    case .halt: SIGUSR1
    case .powerOff, .end: SIGUSR2
    case .reboot: SIGTERM
    }
  }

  static func program(_ mode: ShutdownMode) -> Bytes {
    switch mode {
    case .halt: "halt"
    case .powerOff, .end: "poweroff"
    case .reboot: "reboot"
    }
  }
}

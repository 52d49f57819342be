import Glibc

/// Signals that a command in the background can be sent.
enum SignalName {
  private static let known: [(String, Int32)] = [
    ("KILL", SIGKILL), ("TERM", SIGTERM), ("INT", SIGINT), ("HUP", SIGHUP), ("QUIT", SIGQUIT), ("USR1", SIGUSR1),
    ("USR2", SIGUSR2),
  ]

  /// - Parameter text: with or without `SIG`, in either case, or the number.
  static func number(_ text: String) -> Int32? {
    let upper = text.uppercased()
    let name = upper.hasPrefix("SIG") ? String(upper.dropFirst(3)) : upper
    return known.first { $0.0 == name || String($0.1) == name }?.1
  }
}

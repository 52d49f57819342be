/// How the machine ends. One byte.
package enum ShutdownMode: UInt8, CaseIterable, Sendable {
  /// Let processes end on SIGTERM for a short while, then power off.
  case powerOff = 1
  /// The same, then reset.
  case reboot = 2
  /// The same, then stop the processors.
  case halt = 3
  /// Kill what runs, write back, power off: for a machine whose only command has ended.
  case end = 4
}

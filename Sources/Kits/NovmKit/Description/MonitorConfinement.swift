/// How much of what the host offers keeps a machine's monitor to what the machine needs.
package enum MonitorConfinement: String, CaseIterable, Codable, Sendable {
  /// What there is of it.
  case auto
  /// All of it, or no machine.
  case require
  case off
}

/// How much of what a host offers against a monitor that was taken over is made use of.
package enum ConfinementMode: String, Sendable {
  /// What there is.
  case auto
  /// All of it, or the machine does not start.
  case require
  case off
}

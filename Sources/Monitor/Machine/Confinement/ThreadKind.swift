/// The threads of a monitor, by what they are for.
package enum ThreadKind: String, Sendable {
  case loop
  case vcpu
  /// Serves a queue of a device that may block.
  case queue
}

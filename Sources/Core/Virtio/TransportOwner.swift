/// What a transport asks of the machine around it.
package protocol TransportOwner: QueueNotifier {
  /// Runs `body` where the device runs, so that neither sees the other half-way, and returns when it has ended.
  func withDevice(_ body: () -> Void)
  /// The queues are live: begin to serve notifications.
  func started()
  /// Returns only once no thread works on the device's queues any more.
  func stopped()
}

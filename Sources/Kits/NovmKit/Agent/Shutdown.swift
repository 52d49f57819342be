import AgentProtocol

/// The stream that ends a machine.
package final class Shutdown {
  private let connection: AgentConnection
  /// Everything is written back, or the guest is gone already.
  package private(set) var isDone = false

  package init(_ mode: ShutdownMode, on connection: AgentConnection, loop: PollLoop) throws(NovmError) {
    self.connection = connection
    connection.onFrame = { [unowned self] frame throws(NovmError) in
      guard frame == .synced else { throw .protocolViolation(.malformed(frame.type)) }
      isDone = true
    }
    connection.onClose = { [unowned self] () throws(NovmError) in isDone = true }
    loop.add(connection)
    try connection.send(.shutdown(mode))
  }
}

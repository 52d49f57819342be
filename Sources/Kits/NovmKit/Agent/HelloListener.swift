import AgentProtocol
import Glibc
import Host

/// Waits on the host's port for the one connection that a guest makes once it can take commands, and keeps it: it ends with
/// the guest's agent.
package final class HelloListener: PollSource {
  private let listener: FileDescriptor
  private let loop: PollLoop
  private var connection: AgentConnection?
  private var rest = ListenerRest()

  /// What the guest said; nil until then.
  package private(set) var hello: Hello?
  /// Whether the agent has gone since.
  package private(set) var isLost = false

  /// Listens where `novmm` looks for port ``Agent/port`` of the host.
  package init(vsock: String, loop: PollLoop) throws(NovmError) {
    listener = try UnixSocket.listen(at: "\(vsock)_\(Agent.port)")
    self.loop = loop
  }

  package var interest: PollInterest? {
    connection == nil && rest.end == nil ? PollInterest(listener.raw, POLLIN) : nil
  }

  package var deadline: MonotonicTime? { rest.end }

  package func expired() { rest.finish() }

  package func ready(_ events: Int32) throws(NovmError) {
    guard connection == nil, let accepted = rest.accept(listener) else { return }
    adopt(try AgentConnection(stream: accepted))
  }

  /// Has the guest say it by a connection that was made to it.
  func adopt(_ connection: AgentConnection) {
    connection.onFrame = { [unowned self] frame throws(NovmError) in try take(frame) }
    connection.onClose = { [unowned self] () throws(NovmError) in isLost = true }
    self.connection = connection
    loop.add(connection)
  }

  /// Closes the connection, as if there had been none.
  func leave() {
    if let connection { loop.remove(connection) }
    (connection, hello, isLost) = (nil, nil, false)
  }

  private func take(_ frame: Frame) throws(NovmError) {
    switch frame {
    case .hello(let hello) where self.hello == nil:
      guard hello.version == Agent.version else { throw .agentVersion(hello.version) }
      self.hello = hello
      try connection?.send(.clock(.now))
    case .failed(let failure) where hello == nil:
      throw .guestFailed(failure)
    default:
      throw .protocolViolation(.malformed(frame.type))
    }
  }
}

extension WallTime {
  static var now: WallTime {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return WallTime(seconds: UInt64(now.tv_sec), nanoseconds: UInt32(now.tv_nsec))
  }
}

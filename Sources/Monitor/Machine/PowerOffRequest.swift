import AgentProtocol
import Host
import KVM

/// Asks the guest to switch itself off, until it has heard: by its agent where it has one, and by the power button.
///
/// Everything here belongs to the event loop's thread.
final class PowerOffRequest {
  /// Where `noguest` listens (docs/architecture.md).
  private static let agentPort: UInt32 = 1024
  /// In nanoseconds.
  private static let interval: UInt64 = 500_000_000
  /// A guest that has no vsock by then never will.
  private static let patience = 20

  private let connect: (UInt32) throws(Errno) -> FileDescriptor?
  private let button: InterruptInput
  private var timer: Timer?
  private var rounds = 0
  private var isPressed = false
  /// Kept open while the agent works on it.
  private var connection: Int32?

  /// - Parameter connect: reaches a port of the guest by its vsock; nil while it cannot be.
  init(
    _ connect: @escaping (UInt32) throws(Errno) -> FileDescriptor?, _ button: InterruptInput, _ loop: EventLoop
  ) {
    self.connect = connect
    self.button = button
    // Without descriptors for it, the guest is asked once.
    timer = try? Timer(loop) { [unowned self] in ask() }
    ask()
  }

  private func ask() {
    timer?.start(nanoseconds: Self.interval)
    rounds += 1
    if rounds == Self.patience { press() }
    if let connection {
      guard UnixSocket.isAtEnd(connection) else { return }
      // Refused: a guest that is still booting has nobody who listens yet.
      _ = FileDescriptor(owning: connection)
      self.connection = nil
    }
    guard let agent = try? connect(Self.agentPort) else { return }
    press()
    // Blocking, but a frame of a few bytes fits into the socket's buffer.
    if let frame = try? Frame.shutdown(.powerOff).encoded() { try? agent.writeAll(frame) }
    connection = agent.release()
  }

  /// Not before the guest can be reached: a kernel takes an interrupt that comes before it is ready for any for an
  /// exception.
  private func press() {
    if !isPressed { button.raise() }
    isPressed = true
  }
}

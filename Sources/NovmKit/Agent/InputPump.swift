import AgentProtocol
import Glibc

/// Moves the caller's standard input to the guest, as far as the window allows.
final class InputPump: PollSource {
  private let descriptor: Int32?
  private let connection: AgentConnection
  private var isActive = false
  var window = InputWindow()

  init(_ descriptor: Int32?, connection: AgentConnection) {
    self.descriptor = descriptor
    self.connection = connection
  }

  /// The command runs: input may flow.
  func start() { isActive = descriptor != nil }

  func stop() { isActive = false }

  var interest: PollInterest? {
    guard isActive, window.nextFrame > 0, connection.backlog < Self.backlogLimit, let descriptor else { return nil }
    return PollInterest(descriptor, POLLIN)
  }

  func ready(_ events: Int32) throws(NovmError) {
    guard isActive, let descriptor else { return }
    // What this pump waited for may have been spent since.
    let room = window.nextFrame
    guard room > 0 else { return }
    switch connection.sendInput(from: descriptor, limit: room) {
    case .none:
      return
    case .end:
      isActive = false
      try connection.send(.endOfInput)
    case .bytes(let count):
      _ = window.spend(count)
    }
  }

  /// Kept small so that a signal is not stuck behind input.
  private static let backlogLimit = 128 << 10
}

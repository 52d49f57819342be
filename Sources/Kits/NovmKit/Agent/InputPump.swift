import AgentProtocol
import Glibc

/// Moves the caller's standard input to the guest, as far as the window allows.
final class InputPump: PollSource {
  private let descriptor: Int32?
  private let connection: AgentConnection
  private var isActive = false
  private var keys: DetachKeys?
  private var onDetach: () -> Void = {}
  var window = InputWindow()

  init(_ descriptor: Int32?, connection: AgentConnection) {
    self.descriptor = descriptor
    self.connection = connection
  }

  /// The command runs: input may flow.
  func start() { isActive = descriptor != nil }

  func stop() { isActive = false }

  /// Holds the detach keys back, and says when they came.
  func watchForDetachKeys(_ onDetach: @escaping () -> Void) {
    keys = DetachKeys()
    self.onDetach = onDetach
  }

  var interest: PollInterest? {
    guard isActive, window.nextFrame > 0, connection.backlog < Self.backlogLimit, let descriptor else { return nil }
    return PollInterest(descriptor, POLLIN)
  }

  func ready(_ events: Int32) throws(NovmError) {
    guard isActive, let descriptor else { return }
    // What this pump waited for may have been spent since.
    let room = window.nextFrame
    guard room > 0 else { return }
    if keys != nil { return try sendWatched(descriptor, room) }
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

  private func sendWatched(_ descriptor: Int32, _ room: Int) throws(NovmError) {
    var bytes: [UInt8] = []
    // One key may be held from before.
    switch InputChunk.read(descriptor, into: &bytes, limit: max(1, min(room, 4096) - 1)) {
    case .none: return
    case .end:
      isActive = false
      try connection.send(.endOfInput)
    case .bytes:
      let passed = keys?.pass(bytes) ?? bytes
      if !passed.isEmpty, window.spend(passed.count) { try connection.send(.stdin(passed)) }
      if keys?.isComplete == true { onDetach() }
    }
  }

  /// Kept small so that a signal is not stuck behind input.
  private static let backlogLimit = 128 << 10
}

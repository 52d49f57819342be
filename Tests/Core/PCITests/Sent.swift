import Synchronization

@testable import PCI

/// Keeps what was sent.
final class Sent: MessageSink, Sendable {
  private let list = Mutex<[InterruptMessage]>([])
  var messages: [InterruptMessage] { list.withLock { $0 } }
  func send(_ message: InterruptMessage) { list.withLock { $0.append(message) } }
}

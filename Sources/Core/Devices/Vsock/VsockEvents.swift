internal import GuestMemory
internal import State
internal import Virtio

/// The one event that there is: the guest has come to another device, which knows none of its streams (Virtio 1.2, 5.10.6.7).
///
/// Until the guest has taken it, it must get no packet: it ends all streams that it then has, those that are new to it too. That it
/// has taken it shows when it gives a buffer anew, so all that it had given before are taken in first.
struct VsockEvents {
  private enum Phase {
    case quiet
    /// The guest is to be told, and has given no buffer for it yet.
    case owed
    case told
  }

  /// A buffer of the guest's that nothing was told in.
  private struct Buffer {
    let head: UInt16
    let slices: [GuestSlice]

    init?(_ chain: DescriptorChain) {
      guard chain.writableCount >= VsockEvents.transportReset.count else { return nil }
      head = chain.head
      slices = chain.writable
    }
  }

  /// VIRTIO_VSOCK_EVENT_TRANSPORT_RESET: le32 id.
  private static let transportReset: [UInt8] = [0, 0, 0, 0]

  private var phase = Phase.quiet
  private var buffers: [Buffer] = []
  private var chain = DescriptorChain()

  /// Whether the guest has yet to take an event.
  var isPending: Bool { phase != .quiet }

  /// Takes the guest's buffers as long as there is something to tell, and tells it.
  ///
  /// - Returns: whether that shows that the guest has taken the event.
  mutating func advance(_ queue: VirtQueue) throws(QueueFault) -> Bool {
    guard isPending else { return false }
    var isAnswered = false
    repeat {
      queue.disableNotifications()
      while try queue.pop(&chain) {
        guard let buffer = Buffer(chain) else { throw .request }
        buffers.append(buffer)
        isAnswered = phase == .told
      }
    } while !queue.enableNotifications()
    if isAnswered {
      phase = .quiet
    } else if phase == .owed, !buffers.isEmpty {
      let buffer = buffers.removeFirst()
      buffer.slices.copy(from: Self.transportReset)
      queue.push(head: buffer.head, written: Self.transportReset.count)
      queue.notifyDriver()
      phase = .told
    }
    return isAnswered
  }

  // MARK: State

  /// Buffers that it has; each two bytes in a state.
  static let capacity = 16

  var heads: [UInt16] { buffers.map { $0.head } }

  /// Has a buffer again that it had when a state was written.
  mutating func hold(_ head: UInt16, of queue: VirtQueue, _ fault: StateError) throws(StateError) {
    guard try queue.walkAgain(head: head, &chain, fault) else { return }
    if let buffer = Buffer(chain) { buffers.append(buffer) } else { queue.loseChains() }
  }

  /// The guest is to be told. One without such a queue cannot be.
  mutating func owe(_ queue: VirtQueue) { phase = queue.isLive ? .owed : .quiet }
}

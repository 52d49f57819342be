internal import GuestMemory
internal import State
internal import Virtio

/// Buffers of the guest that were taken from its queue and have not been used yet, oldest first.
///
/// There are some so that one read from the host fills many: Linux's are no larger than a page.
struct VsockBuffers {
  static let capacity = 16

  private var chains: [DescriptorChain] = []
  private var first = 0
  private(set) var count = 0

  init() {
    for _ in 0..<Self.capacity { chains.append(DescriptorChain()) }
  }

  /// Takes from `queue` until there are `wanted` here, or no more there.
  mutating func take(_ wanted: Int, from queue: VirtQueue) throws(QueueFault) {
    while count < min(wanted, Self.capacity) {
      let place = (first + count) % Self.capacity
      guard try queue.pop(&chains[place]) else { return }
      guard chains[place].writableCount > VsockHeader.size else { throw .request }
      count += 1
    }
  }

  /// Has a buffer again that waited when a state was written. One that its driver has made something else since costs it the queue.
  mutating func hold(_ head: UInt16, of queue: VirtQueue, _ fault: StateError) throws(StateError) {
    guard count < Self.capacity else { throw fault }
    let place = (first + count) % Self.capacity
    guard try queue.walkAgain(head: head, &chains[place], fault) else { return }
    if chains[place].writableCount > VsockHeader.size { count += 1 } else { queue.loseChains() }
  }

  subscript(index: Int) -> DescriptorChain { chains[(first + index) % Self.capacity] }

  mutating func removeFirst() {
    first = (first + 1) % Self.capacity
    count -= 1
  }

  mutating func removeAll() { count = 0 }
}

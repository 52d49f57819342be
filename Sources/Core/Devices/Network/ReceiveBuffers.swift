internal import GuestMemory
internal import State
internal import Virtio

/// Buffers of the guest that were taken from a receive queue and have not been used yet, oldest first.
///
/// There may be many, since a large frame is spread over as many as it needs (Virtio 1.2, 5.1.6.4).
struct ReceiveBuffers {
  private struct Buffer {
    let head: UInt16
    let byteCount: Int
    let pieceCount: Int
  }

  private var chain = DescriptorChain()
  private var buffers: [Buffer] = []
  /// All pieces of the buffers, in order, and their bytes.
  private(set) var pieces: [GuestSlice] = []
  private(set) var room = 0

  var count: Int { buffers.count }

  /// Takes one more buffer; false if the driver has made none available.
  mutating func takeOne(from queue: VirtQueue) throws(QueueFault) -> Bool {
    guard try queue.pop(&chain) else { return false }
    try append()
    return true
  }

  /// Adds the buffer that was taken last.
  private mutating func append() throws(QueueFault) {
    // Each one may be the first of a frame, whose header must not be cut off.
    guard chain.readable.isEmpty, chain.writableCount >= NetworkHeader.size else { throw .request }
    for piece in chain.writable { pieces.append(piece) }
    room += chain.writableCount
    buffers.append(Buffer(head: chain.head, byteCount: chain.writableCount, pieceCount: chain.writable.count))
  }

  /// Those that wait, in order.
  var heads: [UInt16] { buffers.map { $0.head } }

  /// Has a buffer again that waited when a state was written. One that its driver has made something else since costs it the queue.
  mutating func hold(_ head: UInt16, of queue: VirtQueue, _ fault: StateError) throws(StateError) {
    guard try queue.walkAgain(head: head, &chain, fault) else { return }
    do throws(QueueFault) { try append() } catch { queue.loseChains() }
  }

  /// Gives the first `used` buffers back, which hold `length` bytes, and keeps the others.
  mutating func complete(_ used: Int, holding length: Int, to queue: VirtQueue) {
    var left = length
    for index in 0..<used {
      let buffer = buffers[index]
      let written = min(left, buffer.byteCount)
      // The driver must not see a part of them (5.1.6.4.1).
      queue.stage(head: buffer.head, written: written)
      left -= written
    }
    queue.publish()
    drop(first: used)
  }

  /// How many of the buffers a frame of so many bytes takes.
  func buffers(holding length: Int) -> Int {
    var used = 0
    var left = length
    while used < buffers.count, left > 0 {
      left -= buffers[used].byteCount
      used += 1
    }
    return used
  }

  private mutating func drop(first used: Int) {
    if used == buffers.count { return removeAll() }
    var gone = 0
    for buffer in buffers[..<used] {
      gone += buffer.pieceCount
      room -= buffer.byteCount
    }
    pieces.removeFirst(gone)
    buffers.removeFirst(used)
  }

  mutating func removeAll() {
    room = 0
    // Small frames have one, and `removeAll` many steps.
    if buffers.count == 1, pieces.count == 1 {
      buffers.removeLast()
      pieces.removeLast()
    } else {
      buffers.removeAll(keepingCapacity: true)
      pieces.removeAll(keepingCapacity: true)
    }
  }
}

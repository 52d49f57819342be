internal import GuestMemory
internal import Virtio

/// Buffers of the guest that were taken from a receive queue and have not been used yet, oldest first.
///
/// There may be many, since a large frame is spread over as many as it needs (Virtio 1.2, 5.1.6.4).
struct ReceiveBuffers {
  /// Reused from frame to frame; those from `count` on are free.
  private var chains: [DescriptorChain] = []
  private(set) var count = 0
  /// All pieces of the buffers, in order, and their bytes.
  private(set) var pieces: [GuestSlice] = []
  private(set) var room = 0

  /// Takes one more buffer; false if the driver has made none available.
  mutating func takeOne(from queue: VirtQueue) throws(QueueFault) -> Bool {
    if count == chains.count { chains.append(DescriptorChain()) }
    guard try queue.pop(&chains[count]) else { return false }
    // Each one may be the first of a frame, whose header must not be cut off.
    guard chains[count].readable.isEmpty, chains[count].writableCount >= NetworkHeader.size else { throw .request }
    pieces.append(contentsOf: chains[count].writable)
    room += chains[count].writableCount
    count += 1
    return true
  }

  /// Gives the buffers that hold the first `length` bytes back, and keeps the others.
  mutating func complete(_ length: Int, to queue: VirtQueue) {
    let used = buffers(holding: length)
    var left = length
    for index in 0..<used {
      let written = min(left, chains[index].writableCount)
      // The driver must not see a part of them (5.1.6.4.1).
      queue.stage(head: chains[index].head, written: written)
      left -= written
    }
    queue.publish()
    drop(first: used)
  }

  /// How many of the buffers a frame of so many bytes takes.
  func buffers(holding length: Int) -> Int {
    var used = 0
    var left = length
    while used < count, left > 0 {
      left -= chains[used].writableCount
      used += 1
    }
    return used
  }

  private mutating func drop(first used: Int) {
    if used == count {
      pieces.removeAll(keepingCapacity: true)
      room = 0
    } else {
      var gone = 0
      for index in 0..<used {
        gone += chains[index].writable.count
        room -= chains[index].writableCount
      }
      pieces.removeFirst(gone)
      // Swapped, not removed: each chain keeps its storage.
      for index in used..<count { chains.swapAt(index - used, index) }
    }
    count -= used
  }

  mutating func removeAll() {
    count = 0
    room = 0
    pieces.removeAll(keepingCapacity: true)
  }
}

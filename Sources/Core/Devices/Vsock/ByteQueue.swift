internal import GuestMemory

/// Bytes that wait for a host that does not take them now, first in, first out.
///
/// It holds no memory while empty. Its user bounds it.
struct ByteQueue {
  private var storage: [UInt8] = []
  private var head = 0

  var count: Int { storage.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ slice: GuestSlice) { storage += slice.bytes() }

  /// Lends the bytes, oldest first, and drops as many as `body` says.
  mutating func consume(_ body: (Span<UInt8>) -> Int) {
    let used = body(storage.span.extracting(droppingFirst: head))
    head += min(max(used, 0), count)
    if head == storage.count { return removeAll() }
    // Moves the rest down when that costs less than what it frees.
    if head > storage.count / 2 {
      storage.removeFirst(head)
      head = 0
    }
  }

  mutating func removeAll() {
    storage = []
    head = 0
  }
}

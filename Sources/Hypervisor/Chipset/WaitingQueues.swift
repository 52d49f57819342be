/// Queues of a device that are to be served, of the first 32.
///
/// They are taken all at once: one that is marked while it is served waits for the next time, so that a driver which fills a queue
/// as fast as it is emptied keeps nobody longer than a turn.
package struct WaitingQueues {
  private var bits: UInt32 = 0

  package init() {}

  package var isEmpty: Bool { bits == 0 }

  /// - Parameter queue: may be the guest's word.
  package mutating func mark(_ queue: UInt32) {
    if queue < 32 { bits |= 1 << queue }
  }

  package mutating func markAll() { bits = .max }

  /// Those that wait now, which do so no more.
  package mutating func take() -> WaitingQueues {
    let taken = self
    bits = 0
    return taken
  }

  /// The first, which waits no more.
  package mutating func next() -> Int? {
    guard bits != 0 else { return nil }
    let index = bits.trailingZeroBitCount
    bits &= bits - 1
    return index
  }
}

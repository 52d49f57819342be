/// What may be done for a queue in one go, until others on the same thread have their turn, and whoever waits for that thread
/// gets it. What a driver asks for counts by its number, its bytes and its pieces: each of them takes time.
package struct Turn {
  private var requests: Int
  private var bytes: Int
  private var pieces: Int

  /// The request that uses up a turn is still served, so a turn is longer by at most one.
  package init(requests: Int, bytes: Int = 4 << 20, pieces: Int = 8192) {
    self.requests = requests
    self.bytes = bytes
    self.pieces = pieces
  }

  /// Counts what was done.
  package mutating func spend(requests: Int = 1, bytes: Int, pieces: Int) {
    self.requests &-= requests
    self.bytes &-= bytes
    self.pieces &-= pieces
  }

  /// Counts one request.
  package mutating func spend(_ chain: DescriptorChain) {
    spend(bytes: chain.readableCount &+ chain.writableCount, pieces: chain.readable.count &+ chain.writable.count)
  }

  package var isOver: Bool { requests <= 0 || bytes <= 0 || pieces <= 0 }
}

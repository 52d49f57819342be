import Host

/// Keeps the listings that the guest is reading, so that each part of a long directory goes on where the last one ended.
///
/// Offsets mean the same in any listing of a directory, so one that was dropped is simply made again.
final class ListingCache {
  private let lock = Lock()
  private var entries: [(node: Node, listing: Listing)] = []
  private let capacity: Int

  init(capacity: Int = 32) {
    self.capacity = capacity
    entries.reserveCapacity(capacity)
  }

  /// The listing to go on with at `offset`; at 0 a fresh one.
  func listing(_ node: Node, at offset: UInt64, in tree: LayeredTree) throws(Errno) -> Listing {
    if offset != 0, let known = lock.withLock({ entries.first { $0.node === node }?.listing }) { return known }
    let fresh = try Listing(tree, node)
    lock.withLock {
      entries.removeAll { $0.node === node }
      if entries.count == capacity { entries.removeFirst() }
      entries.append((node, fresh))
    }
    return fresh
  }

  /// Forgets a listing that has been read to its end, or whose directory has gone.
  func drop(_ node: Node) {
    lock.withLock { entries.removeAll { $0.node === node } }
  }

  func dropAll() {
    lock.withLock { entries.removeAll(keepingCapacity: true) }
  }
}

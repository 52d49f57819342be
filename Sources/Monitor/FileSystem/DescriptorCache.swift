import Host

/// Keeps the directories in use open, at most `capacity` of them: the second-chance (clock) rule picks which to close.
///
/// Files are reached by name from their directory, so nothing else needs a descriptor until it is opened.
final class DescriptorCache {
  let capacity: Int
  private let lock = Lock()
  private var entries: [DirectoryPart?]
  private var hand = 0

  init(capacity: Int) {
    self.capacity = capacity
    entries = [DirectoryPart?](repeating: nil, count: capacity)
  }

  func find(_ part: DirectoryPart) -> SharedDescriptor? {
    lock.withLock {
      part.wasUsed = true
      return part.descriptor
    }
  }

  /// Remembers an opened directory; another one may be closed for it.
  func add(_ part: DirectoryPart, _ descriptor: SharedDescriptor) {
    lock.withLock {
      guard part.descriptor == nil else { return }
      part.descriptor = descriptor
      part.wasUsed = true
      while let occupant = entries[hand], occupant.wasUsed {
        occupant.wasUsed = false
        hand = (hand + 1) % capacity
      }
      entries[hand]?.descriptor = nil
      entries[hand] = part
      hand = (hand + 1) % capacity
    }
  }

  /// Closes a directory that went away.
  func drop(_ part: DirectoryPart) {
    lock.withLock { part.descriptor = nil }
  }
}

import Host

/// Keeps regular files open by the node that they belong to, so that reading and writing need no open of the guest's.
///
/// At most `capacity` that the guest has not said it holds open: the second-chance (clock) rule picks which to close. The
/// descriptor is in the node, guarded by this cache's lock.
final class FileCache {
  let capacity: Int
  private let lock = Lock()
  private var slots: [Node?] = []
  /// For each slot, when its file was modified as far as the guest's kernel knows, which has written back since.
  private var keptTimes: [FileTime?] = []
  private var free: [Int] = []
  /// Nodes that the guest says it holds open.
  private var held = 0
  private var hand = 0

  init(capacity: Int) { self.capacity = capacity }

  /// The open file of a node.
  ///
  /// - Parameter forWriting: nil unless it may be written.
  func find(_ node: Node, forWriting: Bool) -> SharedDescriptor? {
    lock.withLock {
      guard node.openFile != nil, !forWriting || node.openFile!.isWritable else { return nil }
      node.openFile!.wasUsed = true
      return node.openFile!.descriptor
    }
  }

  /// The open file of a node that the guest says it has open.
  func held(_ node: Node) -> SharedDescriptor? { lock.withLock { node.opens > 0 ? node.openFile?.descriptor : nil } }

  /// Whether the guest says that it has a node open of which no file is, as after `drop`.
  func isMissing(_ node: Node) -> Bool { lock.withLock { node.opens > 0 && node.openFile == nil } }

  /// Remembers an opened file; another one may be closed for it. One that can be written takes the place of one that cannot.
  func add(_ node: Node, _ descriptor: SharedDescriptor, isWritable: Bool) {
    lock.withLock {
      if let known = node.openFile {
        if known.isWritable || !isWritable { return }
        node.openFile = Node.OpenFile(descriptor: descriptor, isWritable: true, slot: known.slot)
        return
      }
      let slot = takeSlot()
      slots[slot] = node
      node.openFile = Node.OpenFile(descriptor: descriptor, isWritable: isWritable, slot: slot)
    }
  }

  private func takeSlot() -> Int {
    if let slot = free.popLast() { return slot }
    if slots.count >= capacity {
      // Twice around: the first time may only take the marks of use away.
      for _ in 0..<(2 * slots.count) {
        let slot = hand
        hand = (hand + 1) % slots.count
        guard let node = slots[slot], node.opens == 0 else { continue }
        if node.openFile!.wasUsed {
          node.openFile!.wasUsed = false
        } else {
          endTime(node, isRestored: true)
          node.openFile = nil
          return slot
        }
      }
    }
    // Not full yet, or the guest holds them all.
    slots.append(nil)
    keptTimes.append(nil)
    return slots.count - 1
  }

  /// Closes a node's file for good: the node goes, and with it what the guest says it has open of it.
  func end(_ node: Node) {
    lock.withLock {
      if node.opens > 0 { held = max(held - 1, 0) }
      node.opens = 0
      close(node)
    }
  }

  /// Closes a node's file: what it should be read from has changed.
  func drop(_ node: Node) {
    lock.withLock { close(node) }
  }

  /// The guest's kernel is about to write back what it has held. That is not when the file was modified: that time it sends
  /// itself, unless it is the one that it knows already.
  func keepTime(_ node: Node) {
    lock.withLock {
      guard let open = node.openFile, open.isWritable, keptTimes[open.slot] == nil else { return }
      keptTimes[open.slot] = try? FileCalls.status(open.descriptor.raw).modified
    }
  }

  /// The guest has set the time of modification.
  func forgetTime(_ node: Node) {
    lock.withLock { if let slot = node.openFile?.slot { keptTimes[slot] = nil } }
  }

  /// What the guest held back up to now, times too, has come: files have the times that it knows. What it goes on to write is as
  /// before.
  func restoreTimes() {
    lock.withLock {
      for case let node? in slots {
        guard let open = node.openFile, let time = keptTimes[open.slot] else { continue }
        try? FileCalls.changeTimes(open.descriptor.raw, accessed: .keep, modified: .set(time))
      }
    }
  }

  private func endTime(_ node: Node, isRestored: Bool) {
    guard let open = node.openFile, let time = keptTimes[open.slot] else { return }
    keptTimes[open.slot] = nil
    if isRestored { try? FileCalls.changeTimes(open.descriptor.raw, accessed: .keep, modified: .set(time)) }
  }

  private func close(_ node: Node, isLost: Bool = false) {
    guard let slot = node.openFile?.slot else { return }
    // Who is gone may not have sent its times.
    endTime(node, isRestored: !isLost)
    node.openFile = nil
    slots[slot] = nil
    free.append(slot)
  }

  /// Closes all that the guest has not said it holds open: descriptors are short.
  func dropIdle() {
    lock.withLock {
      for case let node? in slots where node.opens == 0 { close(node) }
    }
  }

  /// Files that the guest may hold open: some room is left for those that are only passed through.
  var holdLimit: Int { capacity - capacity / 8 }

  /// Asks for room before the guest opens one more.
  ///
  /// - Throws: `ENFILE` if it holds as many as it may.
  func checkRoom() throws(Errno) {
    guard lock.withLock({ held < holdLimit }) else { throw .tooManyFiles }
  }

  /// The guest has opened a file: it stays open for as long.
  ///
  /// - Parameter times: how often; 1 or more.
  func hold(_ node: Node, times: Int = 1) {
    lock.withLock {
      if node.opens == 0 { held += 1 }
      node.opens += times
    }
  }

  /// The guest has closed a file. One that could be written is closed here too, so that the host may execute it.
  ///
  /// - Returns: whether it has it open no more.
  @discardableResult
  func release(_ node: Node) -> Bool {
    lock.withLock {
      guard node.opens > 0 else { return true }
      node.opens -= 1
      guard node.opens == 0 else { return false }
      held -= 1
      if node.openFile?.isWritable == true { close(node) }
      return true
    }
  }

  /// The guest has gone, with all that it had open.
  ///
  /// - Parameter isLost: it did not unmount the tree, and may have had more to send.
  func releaseAll(isLost: Bool) {
    lock.withLock {
      for case let node? in slots {
        node.opens = 0
        close(node, isLost: isLost)
      }
      held = 0
    }
  }

  /// Files open now.
  var count: Int { lock.withLock { slots.count - free.count } }
}

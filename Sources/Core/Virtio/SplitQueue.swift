import GuestMemory

/// The device side of a split virtqueue (Virtio 1.2, 2.7).
///
/// Rings and descriptors belong to the driver and may change at any moment: every field is read once, then checked.
package final class SplitQueue {
  /// Where the driver put the three areas, as guest-physical addresses.
  package struct Layout: Equatable, Sendable {
    package var descriptorTable: GuestAddress = 0
    package var availableRing: GuestAddress = 0
    package var usedRing: GuestAddress = 0

    package init() {}
  }

  package let size: UInt16

  private let memory: GuestMemory
  private let areas: Areas
  private let hasEventIndex: Bool
  private let hasIndirect: Bool
  private let limit: RequestLimit

  /// Index of the next available entry to take.
  private var nextAvailable: UInt16 = 0
  /// Index of the next used entry to fill.
  private var nextUsed: UInt16 = 0
  /// `nextUsed` when the driver was last asked whether it wants an interrupt.
  private var signalledUsed: UInt16 = 0

  /// - Parameters:
  ///   - size: entries, a power of two of at most 32768.
  ///   - features: the negotiated ones, of which the queue heeds indirect descriptors and the event index.
  ///   - limit: what one chain may be.
  /// - Throws: `size`, or `memory` when an area is misaligned or outside RAM.
  package init(
    _ memory: GuestMemory, size: UInt16, layout: Layout, features: Features, limit: RequestLimit
  ) throws(QueueFault) {
    guard size > 0, size <= 32768, size & (size - 1) == 0 else { throw .size(size) }
    guard layout.descriptorTable & 15 == 0 else { throw .memory(.misaligned(address: layout.descriptorTable)) }
    guard layout.usedRing & 3 == 0 else { throw .memory(.misaligned(address: layout.usedRing)) }
    let areas: Areas
    do {
      areas = try Areas(memory, count: Int(size), layout)
    } catch {
      throw .memory(error)
    }
    self.size = size
    self.memory = memory
    self.areas = areas
    self.limit = limit
    hasEventIndex = features.contains(.eventIndex)
    hasIndirect = features.contains(.indirectDescriptors)
  }

  /// Takes the next chain that the driver made available.
  ///
  /// - Returns: false, with `chain` untouched, if there is none.
  package func next(_ chain: inout DescriptorChain) throws(QueueFault) -> Bool {
    let index = areas.availableIndex.load()
    let pending = index &- nextAvailable
    if pending == 0 { return false }
    // A chain has its place until it is given back, so no more are under way than the queue has places.
    guard pending <= size &- underWay else { throw .availableIndex(index) }
    do throws(GuestMemoryError) {
      let head: UInt16 = try areas.availableEntries.load(at: 2 * Int(nextAvailable & (size - 1)))
      chain.restart(at: head)
      nextAvailable &+= 1
    } catch {
      throw .memory(error)
    }
    try walk(&chain)
    return true
  }

  /// Chains that were taken and not given back: at most `size`, by the check of `next`.
  package var underWay: UInt16 { nextAvailable &- nextUsed }

  /// Whether a chain waits.
  package var isEmpty: Bool { areas.availableIndex.load() == nextAvailable }

  /// Where the device is in the rings.
  package struct Position: Equatable, Sendable {
    package var nextAvailable: UInt16 = 0
    package var nextUsed: UInt16 = 0
    package var signalledUsed: UInt16 = 0

    package init() {}
  }

  package var position: Position {
    var position = Position()
    position.nextAvailable = nextAvailable
    position.nextUsed = nextUsed
    position.signalledUsed = signalledUsed
    return position
  }

  /// Goes to where another device was in the same rings.
  ///
  /// - Returns: false, having done nothing, if more chains would be under way than the queue has places.
  package func go(to position: Position) -> Bool {
    guard position.nextAvailable &- position.nextUsed <= size else { return false }
    nextAvailable = position.nextAvailable
    nextUsed = position.nextUsed
    signalledUsed = position.signalledUsed
    return true
  }

  /// Walks a chain again that was taken before.
  package func walkAgain(_ head: UInt16, _ chain: inout DescriptorChain) throws(QueueFault) {
    chain.restart(at: head)
    try walk(&chain)
  }

  /// Gives a chain back.
  ///
  /// - Parameter written: bytes that the device wrote, from the first writable one on.
  package func complete(head: UInt16, written: UInt32) {
    stage(head: head, written: written)
    publish()
  }

  /// Gives a chain back, which the driver sees at the next `publish`.
  package func stage(head: UInt16, written: UInt32) {
    let offset = 8 * Int(nextUsed & (size - 1))
    // The ring was checked to hold `size` entries.
    try? areas.usedEntries.store(UInt64(head) | UInt64(written) << 32, at: offset)
    nextUsed &+= 1
  }

  /// Shows the driver all that was given back.
  package func publish() { areas.usedIndex.store(nextUsed) }

  /// Whether the chains completed since the last call want an interrupt (2.7.7).
  package func takeInterrupt() -> Bool {
    let old = signalledUsed
    if nextUsed == old { return false }
    signalledUsed = nextUsed
    // The used index must be visible before the driver's wish is read.
    GuestAtomic16.fence()
    if hasEventIndex {
      return nextUsed &- areas.usedEvent.load() &- 1 < nextUsed &- old
    }
    return areas.availableFlags.load() & 1 == 0
  }

  /// Asks the driver to keep quiet while the device is looking at the ring anyway (2.7.10).
  package func disableNotifications() {
    if !hasEventIndex { areas.usedFlags.store(1) }
  }

  /// Asks the driver to notify the next chain.
  ///
  /// - Returns: false if a chain came in meanwhile, which no notification announces.
  package func enableNotifications() -> Bool {
    if hasEventIndex { areas.availableEvent.store(nextAvailable) } else { areas.usedFlags.store(0) }
    GuestAtomic16.fence()
    return isEmpty
  }

  /// Follows the descriptors of a chain (2.7.5), into an indirect table where one is named (2.7.5.3).
  private func walk(_ chain: inout DescriptorChain) throws(QueueFault) {
    var table = areas.descriptors
    var tableCount = UInt32(size)
    var index = chain.head
    var steps: UInt32 = 0
    var total: UInt64 = 0
    var isIndirect = false
    while true {
      guard UInt32(index) < tableCount else { throw .descriptorIndex(index) }
      guard steps < tableCount else { throw .chainTooLong }
      steps += 1
      let descriptor = try Descriptor(table, at: index)
      if descriptor.flags & Descriptor.indirect != 0 {
        // 2.7.5.3.2: it may follow ordinary descriptors, and its write flag means nothing.
        guard hasIndirect, !isIndirect, descriptor.flags & Descriptor.next == 0, descriptor.length > 0,
          descriptor.length & 15 == 0, descriptor.length / 16 <= UInt32(limit.descriptors)
        else { throw .indirectTable }
        table = try slice(descriptor)
        tableCount = descriptor.length / 16
        index = 0
        steps = 0
        isIndirect = true
        continue
      }
      // An empty buffer is nothing, wherever it is.
      if descriptor.length > 0 {
        total += UInt64(descriptor.length)
        guard total <= UInt64(limit.bytes) else { throw .chainTooLarge }
        let buffer = try slice(descriptor)
        if descriptor.flags & Descriptor.write != 0 {
          chain.append(writable: buffer)
        } else {
          guard chain.writable.isEmpty else { throw .readableAfterWritable }
          chain.append(readable: buffer)
        }
      }
      if descriptor.flags & Descriptor.next == 0 { return }
      index = descriptor.next
    }
  }

  private func slice(_ descriptor: Descriptor) throws(QueueFault) -> GuestSlice {
    do {
      return try memory.slice(at: descriptor.address, count: Int(descriptor.length))
    } catch {
      throw .memory(error)
    }
  }
}

/// The three areas of a queue, found to be in RAM once.
private struct Areas {
  let descriptors: GuestSlice
  let availableFlags: GuestAtomic16
  let availableIndex: GuestAtomic16
  let availableEntries: GuestSlice
  let usedEvent: GuestAtomic16
  let usedFlags: GuestAtomic16
  let usedIndex: GuestAtomic16
  let usedEntries: GuestSlice
  let availableEvent: GuestAtomic16

  /// Each ring is flags and index, the entries, and the other side's event (2.7.6, 2.7.8).
  init(_ memory: GuestMemory, count: Int, _ layout: SplitQueue.Layout) throws(GuestMemoryError) {
    let available = layout.availableRing
    let used = layout.usedRing
    // Whole rings first, so that the sums below cannot overflow.
    _ = try memory.slice(at: available, count: 6 + 2 * count)
    _ = try memory.slice(at: used, count: 6 + 8 * count)
    descriptors = try memory.slice(at: layout.descriptorTable, count: 16 * count)
    availableFlags = try GuestAtomic16(memory, at: available)
    availableIndex = try GuestAtomic16(memory, at: available + 2)
    availableEntries = try memory.slice(at: available + 4, count: 2 * count)
    usedEvent = try GuestAtomic16(memory, at: available + 4 + 2 * UInt64(count))
    usedFlags = try GuestAtomic16(memory, at: used)
    usedIndex = try GuestAtomic16(memory, at: used + 2)
    usedEntries = try memory.slice(at: used + 4, count: 8 * count)
    availableEvent = try GuestAtomic16(memory, at: used + 4 + 8 * UInt64(count))
  }
}

/// One entry of a descriptor table, copied out (Virtio 1.2, 2.7.5).
private struct Descriptor {
  static let next: UInt16 = 1
  static let write: UInt16 = 2
  static let indirect: UInt16 = 4

  let address: GuestAddress
  /// le32 length, le16 flags, le16 next.
  private let rest: UInt64

  var length: UInt32 { UInt32(truncatingIfNeeded: rest) }
  var flags: UInt16 { UInt16(truncatingIfNeeded: rest >> 32) }
  var next: UInt16 { UInt16(truncatingIfNeeded: rest >> 48) }

  init(_ table: GuestSlice, at index: UInt16) throws(QueueFault) {
    do {
      (address, rest) = try table.loadPair(at: 16 * Int(index))
    } catch {
      throw .memory(error)
    }
  }
}

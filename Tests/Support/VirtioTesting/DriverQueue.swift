package import GuestMemory
package import Virtio

/// One buffer of a chain, as a driver describes it.
package enum DriverBuffer {
  /// `count` bytes at an address which the device may read.
  case readable(GuestAddress, UInt32)
  /// `count` bytes at an address which the device may write.
  case writable(GuestAddress, UInt32)
}

/// The driver's side of a split virtqueue (Virtio 1.2, 2.7.13), written apart from the device's side, so that each checks
/// the other.
///
/// The rings lie at `base`; the device side is ready for use at once.
package final class DriverQueue {
  package let memory: GuestMemory
  package let size: UInt16
  package let layout: SplitQueue.Layout
  package let deviceSide: VirtQueue
  package let interrupts = InterruptCounter()
  package let features: Features
  /// Where indirect tables go, when `offer` is told to use one.
  package let indirectTable: GuestAddress

  private var free: [UInt16]
  private var chains: [UInt16: [UInt16]] = [:]
  private var availableIndex: UInt16
  private var usedIndex: UInt16

  /// - Parameter index: which of its device's queues this is.
  package init(
    _ memory: GuestMemory, size: UInt16, base: GuestAddress = 0x1000, features: Features = .common, index: Int = 0,
    limit: RequestLimit = RequestLimit(descriptors: 64, bytes: 1 << 20)
  ) {
    self.memory = memory
    self.size = size
    self.features = features
    var layout = SplitQueue.Layout()
    layout.descriptorTable = base
    layout.availableRing = base + 16 * UInt64(size)
    layout.usedRing = (layout.availableRing + 6 + 2 * UInt64(size) + 4095) & ~4095
    self.layout = layout
    indirectTable = (layout.usedRing + 6 + 8 * UInt64(size) + 4095) & ~4095
    deviceSide = VirtQueue(index: index, maximumSize: size, limit: limit, interrupt: interrupts)
    deviceSide.configure(size: size, layout: layout)
    free = Array((0..<size).reversed())
    availableIndex = 0
    usedIndex = 0
    try! deviceSide.activate(memory, features: features)
  }

  /// Makes a chain available.
  ///
  /// - Returns: the head, as `reap` will report it.
  @discardableResult
  package func offer(_ buffers: [DriverBuffer], indirect: Bool = false) -> UInt16 {
    let head: UInt16
    if indirect {
      head = free.removeLast()
      chains[head] = [head]
      for (index, buffer) in buffers.enumerated() {
        let more = index + 1 < buffers.count
        write(buffer, next: more ? UInt16(index + 1) : nil, at: indirectTable + 16 * UInt64(index))
      }
      write(address: indirectTable, length: UInt32(16 * buffers.count), flags: 4, next: 0, at: descriptor(head))
    } else {
      let indexes = buffers.map { _ in free.removeLast() }
      head = indexes[0]
      chains[head] = indexes
      for (position, buffer) in buffers.enumerated() {
        let next = position + 1 < buffers.count ? indexes[position + 1] : nil
        write(buffer, next: next, at: descriptor(indexes[position]))
      }
    }
    publish(head)
    return head
  }

  /// Puts any number, true or not, into the available ring.
  package func publish(_ head: UInt16) {
    try! memory.store(head, at: layout.availableRing + 4 + 2 * UInt64(availableIndex % size))
    availableIndex &+= 1
    try! memory.store(availableIndex, at: layout.availableRing + 2)
  }

  /// The next used element, or nil.
  package func reap() -> (head: UInt16, written: Int)? {
    let index: UInt16 = try! memory.load(at: layout.usedRing + 2)
    if index == usedIndex { return nil }
    let entry = layout.usedRing + 4 + 8 * UInt64(usedIndex % size)
    let head: UInt32 = try! memory.load(at: entry)
    let written: UInt32 = try! memory.load(at: entry + 4)
    usedIndex &+= 1
    try! memory.store(usedIndex, at: layout.availableRing + 4 + 2 * UInt64(size))  // used_event: the very next one.
    free += chains.removeValue(forKey: UInt16(head)) ?? []
    return (UInt16(head), Int(written))
  }

  /// Whether a driver that heeds the suppression rules would notify the chain that it published last (2.7.10).
  package var wantsNotification: Bool {
    if features.contains(.eventIndex) {
      let event: UInt16 = try! memory.load(at: layout.usedRing + 4 + 8 * UInt64(size))
      return event == availableIndex &- 1
    }
    let flags: UInt16 = try! memory.load(at: layout.usedRing)
    return flags & 1 == 0
  }

  /// Writes a raw descriptor into the queue's own table.
  package func writeDescriptor(_ index: UInt16, address: GuestAddress, length: UInt32, flags: UInt16, next: UInt16) {
    write(address: address, length: length, flags: flags, next: next, at: descriptor(index))
  }

  private func descriptor(_ index: UInt16) -> GuestAddress { layout.descriptorTable + 16 * UInt64(index) }

  private func write(_ buffer: DriverBuffer, next: UInt16?, at place: GuestAddress) {
    let chained: UInt16 = next == nil ? 0 : 1
    switch buffer {
    case .readable(let address, let count):
      write(address: address, length: count, flags: chained, next: next ?? 0, at: place)
    case .writable(let address, let count):
      write(address: address, length: count, flags: chained | 2, next: next ?? 0, at: place)
    }
  }

  private func write(address: GuestAddress, length: UInt32, flags: UInt16, next: UInt16, at place: GuestAddress) {
    try! memory.store(address, at: place)
    try! memory.store(length, at: place + 8)
    try! memory.store(flags, at: place + 12)
    try! memory.store(next, at: place + 14)
  }
}

/// An interrupt that only counts.
package final class InterruptCounter: QueueInterrupt, InterruptLine {
  package private(set) var count = 0
  package init() {}
  package func signal(queue: Int) { count += 1 }
  package func raise() { count += 1 }
}

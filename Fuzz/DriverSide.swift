import GuestMemory
import Virtio

/// The RAM of every session; there is one at a time.
nonisolated(unsafe) let ram: UnsafeMutableRawBufferPointer = .allocate(byteCount: 1 << 19, alignment: 4096)

/// RAM of zeros.
func clearedMemory() -> GuestMemory {
  _ = ram.initializeMemory(as: UInt8.self, repeating: 0)
  return GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: ram)])
}

/// A driver of a device that does what its input says, step by step.
protocol HostileDriver: QueueInterrupt {
  var input: ArraySlice<UInt8> { get set }

  func step() throws(QueueFault)

  /// Resets the device, as a transport does for one that needs it, and begins anew.
  func restart()

  /// What holds after each step.
  func check()
}

extension HostileDriver {
  func signal(queue: Int) {}

  /// The next byte of the input, 0 at its end.
  func next() -> Int { Int(input.popFirst() ?? 0) }

  func run() {
    while !input.isEmpty {
      do throws(QueueFault) {
        try step()
      } catch {
        restart()
      }
      check()
    }
  }
}

/// The driver's half of a queue whose rings lie in the KiB from `base` on: what it offers is in order, whatever else is not.
final class DriverSide {
  private(set) var queue: VirtQueue
  private var available: UInt16 = 0
  private var used: UInt16 = 0
  private let memory: GuestMemory
  private let base: UInt64
  private let index: Int
  private let size: UInt16
  private let limit = RequestLimit(descriptors: 64, bytes: 1 << 20)

  /// Where the next chain goes, and whether it is free.
  var slot: UInt64 { UInt64(available % size) }
  var hasRoom: Bool { outstanding < size }
  /// For a chain of two descriptors.
  var hasPairOfRoom: Bool { outstanding == 0 }
  private var outstanding: UInt16 { available &- (try! memory.load(UInt16.self, at: base + 0x202)) }

  init(_ memory: GuestMemory, base: UInt64, index: Int, size: UInt16) {
    self.memory = memory
    self.base = base
    self.index = index
    self.size = size
    queue = VirtQueue(index: index, maximumSize: size, limit: limit, interrupt: Nobody())
  }

  func restart(interrupt: any QueueInterrupt) -> VirtQueue {
    queue = VirtQueue(index: index, maximumSize: size, limit: limit, interrupt: interrupt)
    var layout = SplitQueue.Layout()
    layout.descriptorTable = base
    layout.availableRing = base + 0x100
    layout.usedRing = base + 0x200
    queue.configure(size: size, layout: layout)
    try! memory.slice(at: base, count: 0x400).fill()
    available = 0
    used = 0
    try! queue.activate(memory, features: .common)
    return queue
  }

  /// The queue keeps its interrupt, which keeps this.
  func forget() { queue = VirtQueue(index: index, maximumSize: size, limit: limit, interrupt: Nobody()) }

  func offer(address: UInt64, length: UInt32, isWritable: Bool) {
    describe(slot, address, length, flags: isWritable ? 2 : 0, next: 0)
    publish(UInt16(slot))
  }

  func offerChain(readable: (UInt64, UInt32), writable: (UInt64, UInt32)) {
    let second = (slot + 1) % UInt64(size)
    describe(slot, readable.0, readable.1, flags: 1, next: UInt16(second))
    describe(second, writable.0, writable.1, flags: 2, next: 0)
    publish(UInt16(slot))
  }

  /// The next chain that the device has used: where it lies, and how much was written.
  func reap() -> (GuestAddress, Int)? {
    let end: UInt16 = try! memory.load(at: base + 0x202)
    if end == used { return nil }
    let entry = base + 0x204 + 8 * UInt64(used % size)
    let head: UInt32 = try! memory.load(at: entry)
    let written: UInt32 = try! memory.load(at: entry + 4)
    used &+= 1
    guard head < UInt32(size) else { return (0, 0) }
    return (try! memory.load(at: base + 16 * UInt64(head)), Int(written))
  }

  private func describe(_ slot: UInt64, _ address: UInt64, _ length: UInt32, flags: UInt16, next: UInt16) {
    try! memory.store(address, at: base + 16 * slot)
    try! memory.store(length, at: base + 16 * slot + 8)
    try! memory.store(flags, at: base + 16 * slot + 12)
    try! memory.store(next, at: base + 16 * slot + 14)
  }

  private func publish(_ head: UInt16) {
    try! memory.store(head, at: base + 0x104 + 2 * UInt64(available % size))
    available &+= 1
    try! memory.store(available, at: base + 0x102)
  }
}

private final class Nobody: QueueInterrupt {
  func signal(queue: Int) {}
}

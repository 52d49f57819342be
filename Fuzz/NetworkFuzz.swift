import Devices
import GuestMemory
import Virtio

/// A hostile driver of a network card and a fickle link, by turns as the input says: no trap; the link is given frames of
/// sane lengths only, and asked for none that the driver's queues are not there for.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzNetwork(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let session = Session(Array(UnsafeBufferPointer(start: data, count: size).prefix(2048)))
  session.run()
  session.forget()
  return 0
}

private let ramSize = 1 << 19
nonisolated(unsafe) private let ram: UnsafeMutableRawBufferPointer = .allocate(byteCount: ramSize, alignment: 4096)
private let queueSize: UInt16 = 8

private final class Session: NetworkBackend, QueueInterrupt {
  let offloads: NetworkOffloads
  private var device: NetworkDevice!
  private let memory: GuestMemory
  private var queues: [DriverSide] = []
  private let pairs: Int
  private var features: Features = []
  private var input: ArraySlice<UInt8>
  /// Once the rings were written to at random, only that nothing traps is certain.
  private var isTainted = false

  /// The frames that the link has for each pair, by their lengths.
  private var waiting: [[Int]]
  private var last = 0
  private var blocks = false
  private var activePairs = 1

  init(_ bytes: [UInt8]) {
    _ = ram.initializeMemory(as: UInt8.self, repeating: 0)
    memory = GuestMemory(regions: [GuestMemory.Region(base: 0, bytes: ram)])
    input = bytes[...]
    let shape = input.popFirst() ?? 0
    pairs = Int(shape & 3) + 1
    offloads = NetworkOffloads(rawValue: shape >> 4)
    waiting = [[Int]](repeating: [], count: pairs)
    device = NetworkDevice(
      address: [2, 0, 0, 0, 0, 1], mtu: 1500, pairs: pairs, queueSize: queueSize, backend: self)
    for index in device.queueSizes.indices {
      queues.append(DriverSide(memory, base: UInt64(index) * 0x400, index: index))
    }
    start()
  }

  func signal(queue: Int) {}

  func forget() {
    device = nil
    for queue in queues { queue.forget() }
  }

  private func next() -> Int { Int(input.popFirst() ?? 0) }

  private func start() {
    // The driver leaves out what it likes.
    let refused = UInt64(next()) << 15 | UInt64(next() & 1) << 22
    features = Features(rawValue: device.features.rawValue & ~refused)
    device.start(queues.map { $0.restart(interrupt: self) }, features: features.union(.common))
  }

  func run() {
    while !input.isEmpty {
      do throws(QueueFault) {
        try step()
      } catch {
        // What a transport does for a device that needs a reset.
        device.reset()
        start()
      }
      precondition((1...pairs).contains(activePairs))
      precondition(device.configuration.count == 12)
    }
  }

  private func step() throws(QueueFault) {
    let pair = next() % pairs
    switch next() % 8 {
    case 0, 1:
      let queue = queues[2 * pair]
      for _ in 0..<(1 + next() % 4) where queue.hasRoom {
        queue.offer(address: 0x2_0000 + 0x1000 * queue.slot, length: UInt32(12 + next() * 8), isWritable: true)
      }
      try device.process(queue.queue)
    case 2:
      for _ in 0..<(1 + next() % 3) { waiting[pair].append(12 + next() * next()) }
      device.readable(pair: pair)
    case 3, 4:
      let queue = queues[2 * pair + 1]
      guard queue.hasRoom else { return try device.process(queue.queue) }
      queue.offer(address: 0x4_0000, length: UInt32(next() * next()), isWritable: false)
      try device.process(queue.queue)
    case 5:
      blocks.toggle()
      device.writable(pair: pair)
    case 6:
      try command()
    default:
      isTainted = true
      let place = UInt64(next()) << 5 | UInt64(next() & 0x1f)
      try! memory.write([UInt8(next()), UInt8(next())], at: place)
      for queue in queues { try device.process(queue.queue) }
    }
  }

  private func command() throws(QueueFault) {
    let queue = queues[features.rawValue >> 22 & 1 == 1 ? queues.count - 1 : 2]
    guard queue.hasPairOfRoom else { return try device.process(queue.queue) }
    var bytes = [UInt8(next() % 6), UInt8(next() % 7)]
    for _ in 0..<(next() % 40) { bytes.append(UInt8(next())) }
    try! memory.write(bytes + [0xee], at: 0x1_0000)
    queue.offerChain(
      readable: (0x1_0000, UInt32(bytes.count)), writable: (0x1_0000 + UInt64(bytes.count), 1))
    try device.process(queue.queue)
  }

  // MARK: The link

  func setReceiveOffloads(_ taken: NetworkOffloads) { precondition(taken.isSubset(of: offloads)) }
  func setActivePairs(_ count: Int) { activePairs = count }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    precondition(isTainted || pair < activePairs, "a frame is taken for queues that the driver does not serve")
    guard let length = waiting[pair].first else { return .blocked }
    waiting[pair].removeFirst()
    last = length
    if length % 7 == 0 { return .dropped }
    slices.copy(from: [UInt8](repeating: UInt8(length & 0xff), count: length))
    return .moved(length)
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    precondition(slices.byteCount == last - offset, "the rest of a frame is cut")
    slices.copy(from: [UInt8](repeating: UInt8(last & 0xff), count: last - offset))
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    precondition((26...NetworkDevice.frameLimit).contains(slices.byteCount), "no frame")
    return blocks ? .blocked : .moved(slices.byteCount)
  }
}

/// The driver's side of a queue.
private final class DriverSide {
  private(set) var queue: VirtQueue
  private var available: UInt16 = 0
  private let memory: GuestMemory
  private let base: UInt64
  private let index: Int

  var slot: UInt64 { UInt64(available % queueSize) }
  var hasRoom: Bool { outstanding < queueSize }
  /// For a chain of two descriptors.
  var hasPairOfRoom: Bool { outstanding == 0 }
  private var outstanding: UInt16 { available &- (try! memory.load(UInt16.self, at: base + 0x202)) }

  init(_ memory: GuestMemory, base: UInt64, index: Int) {
    self.memory = memory
    self.base = base
    self.index = index
    queue = VirtQueue(index: index, maximumSize: queueSize, interrupt: Nobody())
  }

  func restart(interrupt: any QueueInterrupt) -> VirtQueue {
    queue = VirtQueue(index: index, maximumSize: queueSize, interrupt: interrupt)
    var layout = SplitQueue.Layout()
    layout.descriptorTable = base
    layout.availableRing = base + 0x100
    layout.usedRing = base + 0x200
    queue.configure(size: queueSize, layout: layout)
    try! memory.slice(at: base, count: 0x400).fill()
    available = 0
    try! queue.activate(memory, features: .common)
    return queue
  }

  func forget() { queue = VirtQueue(index: index, maximumSize: queueSize, interrupt: Nobody()) }

  func offer(address: UInt64, length: UInt32, isWritable: Bool) {
    describe(slot, address, length, flags: isWritable ? 2 : 0, next: 0)
    publish(UInt16(slot))
  }

  func offerChain(readable: (UInt64, UInt32), writable: (UInt64, UInt32)) {
    let second = (slot + 1) % UInt64(queueSize)
    describe(slot, readable.0, readable.1, flags: 1, next: UInt16(second))
    describe(second, writable.0, writable.1, flags: 2, next: 0)
    publish(UInt16(slot))
  }

  private func describe(_ slot: UInt64, _ address: UInt64, _ length: UInt32, flags: UInt16, next: UInt16) {
    try! memory.store(address, at: base + 16 * slot)
    try! memory.store(length, at: base + 16 * slot + 8)
    try! memory.store(flags, at: base + 16 * slot + 12)
    try! memory.store(next, at: base + 16 * slot + 14)
  }

  private func publish(_ head: UInt16) {
    try! memory.store(head, at: base + 0x104 + 2 * UInt64(available % queueSize))
    available &+= 1
    try! memory.store(available, at: base + 0x102)
  }
}

private final class Nobody: QueueInterrupt {
  func signal(queue: Int) {}
}

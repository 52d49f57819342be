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

private let queueSize: UInt16 = 8

private final class Session: NetworkBackend, HostileDriver {
  let offloads: NetworkOffloads
  private var device: NetworkDevice!
  private let memory: GuestMemory
  private var queues: [DriverSide] = []
  private let pairs: Int
  private var features: Features = []
  var input: ArraySlice<UInt8>
  /// Once the rings were written to at random, only that nothing traps is certain.
  private var isTainted = false

  /// The frames that the link has for each pair, by their lengths.
  private var waiting: [[Int]]
  private var last = 0
  private var blocks = false
  private var activePairs = 1

  init(_ bytes: [UInt8]) {
    memory = clearedMemory()
    input = bytes[...]
    let shape = input.popFirst() ?? 0
    pairs = Int(shape & 3) + 1
    offloads = NetworkOffloads(rawValue: shape >> 4)
    waiting = [[Int]](repeating: [], count: pairs)
    device = NetworkDevice(
      address: [2, 0, 0, 0, 0, 1], mtu: 1500, pairs: pairs, queueSize: queueSize, backend: self)
    for index in device.queueSizes.indices {
      queues.append(DriverSide(memory, base: UInt64(index) * 0x400, index: index, size: queueSize))
    }
    start()
  }

  func forget() {
    device = nil
    for queue in queues { queue.forget() }
  }

  private func start() {
    // The driver leaves out what it likes.
    let refused = UInt64(next()) << 15 | UInt64(next() & 1) << 22
    features = Features(rawValue: device.features.rawValue & ~refused)
    device.start(queues.map { $0.restart(interrupt: self) }, features: features.union(.common))
  }

  func restart() {
    device.reset()
    start()
  }

  func check() {
    precondition((1...pairs).contains(activePairs))
    precondition(device.configuration.count == 12)
  }

  func step() throws(QueueFault) {
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

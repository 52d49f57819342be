import GuestMemory
import Virtio
import VirtioTesting

@testable import Devices

/// A link that keeps what is sent, and gives what it was filled with.
final class FakeLink: NetworkBackend {
  var offloads: NetworkOffloads = [.checksum, .tcp4, .tcp6, .congestion]

  /// Frames with headers, for each pair.
  var incoming: [Int: [[UInt8]]] = [:]
  var outgoing: [Int: [[UInt8]]] = [:]
  /// Frames that it still takes before it blocks.
  var room = Int.max
  var receiveOffloads: NetworkOffloads?
  var activePairs: Int?
  private var last: [UInt8] = []

  func setReceiveOffloads(_ offloads: NetworkOffloads) { receiveOffloads = offloads }
  func setActivePairs(_ count: Int) { activePairs = count }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    guard let frame = incoming[pair]?.first else { return .blocked }
    incoming[pair]?.removeFirst()
    last = frame
    slices.copy(from: frame)
    return .moved(frame.count)
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    slices.copy(from: Array(last[offset...]))
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    if room == 0 { return .blocked }
    if room != .max { room -= 1 }
    let frame = slices.flatMap { $0.bytes() }
    outgoing[pair, default: []].append(frame)
    return .moved(frame.count)
  }
}

/// The driver's side of a card: all queues, with fake memory behind them.
final class NetworkDriver {
  static let address: [UInt8] = [0x02, 0, 0, 0, 0, 1]

  let memory = FakeGuestMemory(size: 4 << 20)
  let link = FakeLink()
  let device: NetworkDevice
  let queues: [DriverQueue]
  let features: Features

  /// - Parameter features: those that the driver accepts; all that are offered if nil.
  init(pairs: Int = 1, without refused: Features = [], size: UInt16 = 32) {
    device = NetworkDevice(address: Self.address, mtu: 1500, pairs: pairs, queueSize: size, backend: link)
    features = device.features.subtracting(refused).union(.common)
    var queues: [DriverQueue] = []
    for index in 0..<device.queueSizes.count {
      queues.append(DriverQueue(memory, size: size, base: 0x1000 + 0x8000 * UInt64(index), index: index))
    }
    self.queues = queues
    start()
  }

  func start() { device.start(queues.map(\.deviceSide), features: features) }

  /// Each call's own piece of memory.
  private var free: GuestAddress = 0x10_0000
  func place(_ count: Int) -> GuestAddress {
    defer { free += GuestAddress(count + 15 & ~15) }
    return free
  }

  /// Receive buffers of `count` bytes.
  @discardableResult
  func give(_ buffers: Int, of count: Int, pair: Int = 0) -> [GuestAddress] {
    (0..<buffers).map { _ in
      let address = place(count)
      queues[2 * pair].offer([.writable(address, UInt32(count))])
      return address
    }
  }

  func send(_ frame: [UInt8], pair: Int = 0) throws {
    let address = place(frame.count)
    try memory.write(frame, at: address)
    queues[2 * pair + 1].offer([.readable(address, UInt32(frame.count))])
    try device.process(queues[2 * pair + 1].deviceSide)
  }

  /// Sends a command and gives its answer.
  func command(_ bytes: [UInt8], queue: Int? = nil) throws -> UInt8? {
    let address = place(bytes.count + 1)
    try memory.write(bytes + [0xee], at: address)
    let queue = queues[queue ?? queues.count - 1]
    queue.offer([
      .readable(address, 2), .readable(address + 2, UInt32(bytes.count - 2)),
      .writable(address + UInt64(bytes.count), 1),
    ])
    try device.process(queue.deviceSide)
    guard queue.reap()?.written == 1 else { return nil }
    return try memory.read(count: 1, at: address + UInt64(bytes.count))[0]
  }

  static func frame(_ count: Int, to destination: [UInt8] = NetworkDriver.address, seed: Int = 0) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: NetworkHeader.size)
    frame += destination
    for index in frame.count..<count { frame.append(UInt8(truncatingIfNeeded: (index + seed) % 251)) }
    return frame
  }
}

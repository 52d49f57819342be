import GuestMemory
import LittleEndian
import Synchronization
import Virtio
import VirtioTesting

@testable import Devices

/// A disk in memory, which does requests at once, later, or not yet, as the test says.
final class FakeDisk: BlockBackend {
  enum Manner {
    case atOnce
    case later
    case notYet
  }

  var bytes: [UInt8]
  var manner = Manner.atOnce
  var fails = false
  private(set) var operations: [BlockOperation] = []
  private(set) var wereAlone: [Bool] = []
  private(set) var underWay: [BlockRequest] = []
  private(set) var settles = 0
  private var ended: [BlockRequest] = []
  private var isSubmitted = true

  init(_ count: Int) { bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 >> 9 ^ $0) } }

  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress {
    if manner == .notYet { return .later }
    operations.append(request.operation)
    wereAlone.append(isAlone)
    guard manner == .later else { return .ended(perform(request)) }
    underWay.append(request)
    isSubmitted = false
    return .underWay
  }

  func submit(queue: Int) { isSubmitted = true }

  func takeEnded(queue: Int) -> BlockRequest? {
    ended.firstIndex { $0.queue == queue }.map { ended.remove(at: $0) }
  }

  func settle() {
    settles += 1
    isSubmitted = true
    while !underWay.isEmpty { end(0) }
  }

  func forget() { ended = [] }

  /// Ends the request that came as the `index`th of those under way.
  func end(_ index: Int) {
    precondition(isSubmitted, "nobody told that this was to go its way")
    let request = underWay.remove(at: index)
    request.status = perform(request)
    ended.append(request)
  }

  private func perform(_ request: BlockRequest) -> BlockStatus {
    if fails { return .failed }
    switch request.operation {
    case .read(let offset): request.data.copy(from: Array(bytes[Int(offset)...]))
    case .write(let offset, _):
      let data = request.data.bytes(count: request.data.byteCount)!
      bytes.replaceSubrange(Int(offset)..<(Int(offset) + data.count), with: data)
    case .flush: break
    case .discard(let offset, let count), .writeZeroes(let offset, let count, _, _):
      for place in Int(offset)..<Int(offset + count) { bytes[place] = 0 }
    }
    return .ok
  }
}

/// A driver of a disk.
final class BlockDriver {
  let memory = FakeGuestMemory(size: 1 << 21)
  let disk: FakeDisk
  let device: BlockDevice
  private(set) var queues: [DriverQueue] = []
  private var next: GuestAddress = 0x10_0000

  static let size = 64 * 512

  init(queues count: Int = 1, shape: BlockShape = BlockShape(), without refused: Features = []) {
    disk = FakeDisk(Self.size)
    device = BlockDevice(size: UInt64(Self.size), shape: shape, queueCount: count, queueSize: 16, backend: disk)
    for index in 0..<count {
      queues.append(DriverQueue(memory, size: 16, base: 0x1000 + 0x8000 * UInt64(index), index: index))
    }
    device.start(queues.map(\.deviceSide), features: device.features.union(.common).subtracting(refused))
  }

  /// Room in the guest's memory.
  func place(_ count: Int) -> GuestAddress {
    defer { next += UInt64(count + 4095) & ~4095 }
    return next
  }

  static func header(_ kind: UInt32, _ sector: UInt64) -> [UInt8] {
    littleEndian(kind) + [0, 0, 0, 0] + littleEndian(sector)
  }

  static func range(_ sector: UInt64, _ count: UInt32, _ flags: UInt32 = 0) -> [UInt8] {
    littleEndian(sector) + littleEndian(count) + littleEndian(flags)
  }

  /// Makes a request available.
  ///
  /// - Returns: where its data and its status are.
  @discardableResult
  func offer(
    _ kind: UInt32, sector: UInt64 = 0, send: [UInt8] = [], receive: Int = 0, queue: Int = 0
  ) throws -> (data: GuestAddress, status: GuestAddress) {
    let header = place(16)
    try memory.write(Self.header(kind, sector), at: header)
    let data = place(max(send.count, receive))
    try memory.write(send, at: data)
    let status = place(1)
    try memory.write([0xee], at: status)
    var buffers: [DriverBuffer] = [.readable(header, 16)]
    if !send.isEmpty { buffers.append(.readable(data, UInt32(send.count))) }
    if receive > 0 { buffers.append(.writable(data, UInt32(receive))) }
    queues[queue].offer(buffers + [.writable(status, 1)])
    return (data, status)
  }

  func process(_ queue: Int = 0) throws { try device.process(queues[queue].deviceSide) }

  /// The status of a request, and what it read, once it has been done.
  func ask(
    _ kind: UInt32, sector: UInt64 = 0, send: [UInt8] = [], receive: Int = 0
  ) throws -> (status: UInt8, data: [UInt8]) {
    let (data, status) = try offer(kind, sector: sector, send: send, receive: receive)
    try process()
    guard queues[0].reap() != nil else { return (0xff, []) }
    return (try memory.load(at: status), try memory.read(count: receive, at: data))
  }
}

import Devices
import GuestMemory
import Virtio

/// A hostile driver of a disk, and one that ends requests when it likes, by turns as the input says: no trap; the disk is
/// asked for nothing that is not on it, and what ends is what was begun.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzBlock(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let session = Session(Array(UnsafeBufferPointer(start: data, count: size).prefix(2048)))
  session.run()
  session.release()
  return 0
}

private let queueSize: UInt16 = 8
/// Of requests, and one that is none.
private let kinds: [UInt8] = [0, 1, 4, 8, 11, 13, 200, 0]

private final class Session: BlockBackend, HostileDriver {
  private var device: BlockDevice!
  private let memory: GuestMemory
  private var queues: [DriverSide] = []
  private let isReadOnly: Bool
  var input: ArraySlice<UInt8>

  private var underWay: [BlockRequest] = []
  private var ended: [BlockRequest] = []
  private var manner = 0

  private static let sectors: UInt64 = 1000

  init(_ bytes: [UInt8]) {
    memory = clearedMemory()
    input = bytes[...]
    let first = input.popFirst() ?? 0
    var shape = BlockShape()
    isReadOnly = first & 1 == 1
    shape.isReadOnly = isReadOnly
    shape.serial = [1, 2, 3]
    device = BlockDevice(
      size: Self.sectors * 512, shape: shape, queueCount: 1 + Int(first >> 1 & 1), queueSize: queueSize, backend: self)
    for index in device.queueSizes.indices {
      queues.append(DriverSide(memory, base: UInt64(index) * 0x400, index: index, size: queueSize))
    }
    start()
  }

  func release() {
    device = nil
    for queue in queues { queue.forget() }
  }

  private func start() {
    let refused = UInt64(next()) << 9 & 0x7e00
    let features = Features(rawValue: device.features.rawValue & ~refused)
    device.start(queues.map { $0.restart(interrupt: self) }, features: features.union(.common))
  }

  func restart() {
    device.reset()
    precondition(underWay.isEmpty)
    start()
  }

  func check() {
    precondition(device.configuration.count == 60)
  }

  func step() throws(QueueFault) {
    let queue = queues[next() % queues.count]
    switch next() % 8 {
    case 0, 1, 2:
      guard queue.hasPairOfRoom else { return try device.process(queue.queue) }
      var bytes: [UInt8] = [kinds[next() % kinds.count], 0, 0, UInt8(next() / 255), 0, 0, 0, 0]
      bytes += [UInt8(next()), UInt8(next() % 5), 0, 0, 0, 0, 0, UInt8(next() / 255)]
      for _ in 0..<(next() % 20) { bytes.append(UInt8(next() % 7)) }
      try! memory.write(bytes, at: 0x1_0000)
      let length = next() % 3 == 0 ? bytes.count : 16 + 512 * (next() % 5)
      queue.offerChain(
        readable: (0x1_0000, UInt32(length)), writable: (0x2_0000, UInt32(1 + 512 * (next() % 4) + next() / 250)))
      try device.process(queue.queue)
    case 3:
      manner = next() % 3
      try device.process(queue.queue)
    case 4:
      if !underWay.isEmpty {
        let request = underWay.remove(at: next() % underWay.count)
        request.status = .failed
        ended.append(request)
      }
      try device.process(queue.queue)
    case 5:
      device.writeConfiguration(UInt32(next()), at: next() % 64, width: [1, 2, 4][next() % 3])
      if next() == 7 { device.resize(Self.sectors * 512) }
    case 6:
      queue.offer(address: 0x2_0000, length: UInt32(next()), isWritable: next() & 1 == 1)
      try device.process(queue.queue)
    default:
      let place = UInt64(next()) << 5 | UInt64(next() & 0x1f)
      try! memory.write([UInt8(next()), UInt8(next())], at: place)
      try device.process(queue.queue)
    }
  }

  // MARK: The disk

  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress {
    switch request.operation {
    case .read(let offset): check(offset, UInt64(request.data.byteCount))
    case .write(let offset, _):
      precondition(!isReadOnly)
      check(offset, UInt64(request.data.byteCount))
    case .flush: break
    case .discard(let offset, let count), .writeZeroes(let offset, let count, _, _):
      precondition(!isReadOnly)
      check(offset, count)
    }
    switch manner {
    case 0: return .ended(.ok)
    case 1: return .later
    default:
      precondition(!underWay.contains { $0 === request } && !ended.contains { $0 === request }, "begun twice")
      underWay.append(request)
      return .underWay
    }
  }

  private func check(_ offset: UInt64, _ count: UInt64) {
    precondition(offset % 512 == 0 && count % 512 == 0 && offset + count <= Self.sectors * 512, "outside the disk")
  }

  func submit(queue: Int) {}

  func takeEnded(queue: Int) -> BlockRequest? {
    ended.firstIndex { $0.queue == queue }.map { ended.remove(at: $0) }
  }

  func settle() {
    ended += underWay
    underWay = []
  }

  func forget() { ended = [] }
}

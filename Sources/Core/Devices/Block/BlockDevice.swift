internal import GuestMemory
internal import LittleEndian
package import State
internal import Synchronization
package import Virtio

/// A disk (Virtio 1.2, 5.2).
///
/// Each queue has a thread, which begins requests and gives back those that have ended; nothing but the backend and the
/// configuration is shared between them. Requests of a queue end in any order.
package final class BlockDevice: VirtioDevice {
  /// The most that one request may discard or write zeroes to, in sectors: 1 GiB, and what takes little time where the host
  /// has to write the zeroes.
  static let discardLimit: UInt32 = 1 << 21
  static let zeroesLimit: UInt32 = 1 << 16
  /// The largest piece of memory in a request, in bytes.
  static let segmentSize: UInt32 = 1 << 20
  /// Requests begun before the driver hears of those that have ended.
  private static let turn = Turn(requests: 32, bytes: 32 << 20)

  package let id: UInt32 = 2
  package let features: Features
  package let queueSizes: [UInt16]
  package let requestLimit: RequestLimit
  package let isParallel = true

  private let backend: any BlockBackend
  private let shape: BlockShape
  private let sectors: Atomic<UInt64>
  private let lanes: [BlockLane]
  /// The driver may leave it to flushes what is to be kept.
  private let holdsBack = Atomic<Bool>(true)
  /// Those of the driver, which cannot change while queues are served.
  private var accepted: Features = []
  /// The same ones at each start, so that they are known for good once there was one.
  private var queues: [VirtQueue] = []

  /// - Parameters:
  ///   - size: bytes of the disk; what does not fill a sector is left out.
  ///   - queueCount: 1 to 65535.
  ///   - queueSize: a power of two from 4 on.
  package init(
    size: UInt64, shape: BlockShape = BlockShape(), queueCount: Int = 1, queueSize: UInt16 = 256,
    backend: any BlockBackend
  ) {
    self.backend = backend
    self.shape = shape
    sectors = Atomic(size / BlockShape.sector)
    let count = min(max(queueCount, 1), Int(UInt16.max))
    queueSizes = [UInt16](repeating: queueSize, count: count)
    requestLimit = RequestLimit(
      descriptors: Int(queueSize), bytes: Int(queueSize) * Int(Self.segmentSize))
    var lanes: [BlockLane] = []
    for index in 0..<count { lanes.append(BlockLane(index)) }
    self.lanes = lanes
    var features: Features = [.segmentSize, .segmentLimit, .blockSize, .topology, .flush, .cacheChoice]
    if count > 1 { features.insert(.manyBlockQueues) }
    features.formUnion(shape.isReadOnly ? .readOnly : [.discard, .writeZeroes])
    self.features = features
  }

  /// 5.2.4. Fields of features that are not offered are zero.
  package var configuration: [UInt8] {
    // Header and status are descriptors too.
    let segments = UInt32(queueSizes[0]) - 2
    var result =
      littleEndian(sectors.load(ordering: .relaxed)) + littleEndian(Self.segmentSize) + littleEndian(segments)
    result += [0, 0, 0, 0] + littleEndian(shape.blockSize) + shape.topology
    result += [holdsBack.load(ordering: .relaxed) ? 1 : 0, 0] + littleEndian(UInt16(lanes.count))
    guard !shape.isReadOnly else { return result + [UInt8](repeating: 0, count: 24) }
    let unit = max(shape.discardUnit / UInt32(BlockShape.sector), 1)
    // One range in a request: drivers merge neighbours anyway.
    result += littleEndian(Self.discardLimit) + littleEndian(UInt32(1)) + littleEndian(unit)
    return result + littleEndian(Self.zeroesLimit) + littleEndian(UInt32(1)) + [1, 0, 0, 0]
  }

  private static let cacheOffset = 32

  /// 5.2.5.1: `writeback` is the one field that a driver may write.
  package func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {
    guard offset == Self.cacheOffset, width == 1, accepted.contains(.cacheChoice) else { return }
    holdsBack.store(value & 1 == 1, ordering: .relaxed)
  }

  /// The disk has another size; the transport's `configurationChanged` then tells the driver.
  package func resize(_ size: UInt64) { sectors.store(size / BlockShape.sector, ordering: .relaxed) }

  package var size: UInt64 { sectors.load(ordering: .relaxed) * BlockShape.sector }

  package func start(_ queues: [VirtQueue], features: Features) {
    if self.queues.isEmpty { self.queues = queues }
    accepted = features
    // 5.2.6.2: a driver that knows neither flushes nor this field expects of each write that it is kept.
    holdsBack.store(!features.isDisjoint(with: [.flush, .cacheChoice]), ordering: .relaxed)
  }

  /// Has a queue served: the backend has something for it. From any thread, once a request was begun.
  package func wake(queue: Int) { _ = queues[queue].requestService() }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    guard queue.index < lanes.count else { return }
    let lane = lanes[queue.index]
    giveBack(lane, queue)
    defer {
      backend.submit(queue: queue.index)
      queue.notifyDriver()
    }
    var turn = Self.turn
    repeat {
      queue.disableNotifications()
      while let request = try lane.next(from: queue) {
        switch try begin(request, lane, queue) {
        case .ended(let status):
          finish(request, status, queue)
          lane.finishHeld()
        case .underWay: lane.handOver()
        case .later: return
        }
        turn.spend(request.chain)
        if turn.isOver {
          queue.notifyDriver()
          if queue.requestService() { return }
        }
      }
    } while !queue.enableNotifications()
  }

  /// Returns once nothing is under way, and the driver has all that it had under way. No queue is served meanwhile.
  package func settle() {
    repeat {
      backend.settle()
      for queue in queues where queue.index < lanes.count {
        giveBack(lanes[queue.index], queue)
        queue.notifyDriver()
      }
    } while lanes.contains { $0.underWay > 0 }
  }

  private enum Field {
    static let sectors: UInt16 = 1
    static let holdsBack: UInt16 = 2
    /// Of each request that waits for its turn: u16 queue, u16 head.
    static let held: UInt16 = 3
  }

  package func save(to fields: inout FieldWriter) throws(StateError) {
    guard lanes.allSatisfy({ $0.underWay == 0 }) else { throw .cannotSave(device: id) }
    fields.put(Field.sectors, sectors.load(ordering: .relaxed))
    fields.put(Field.holdsBack, holdsBack.load(ordering: .relaxed))
    var held: [UInt8] = []
    for (index, lane) in lanes.enumerated() {
      guard let request = lane.held else { continue }
      held += littleEndian(UInt16(index)) + littleEndian(request.chain.head)
    }
    fields.put(Field.held, held)
  }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    // What was there is there; if it has become more, the driver can be told later.
    sectors.store(
      try fields.number(Field.sectors, in: 0...sectors.load(ordering: .relaxed)), ordering: .relaxed)
    holdsBack.store(try fields.flag(Field.holdsBack), ordering: .relaxed)
    let held = try fields.bytes(Field.held, limit: 4 * lanes.count)
    for place in stride(from: 0, to: held.count - held.count % 4, by: 4) {
      let index = Int(held.field(UInt16.self, at: place))
      guard index < lanes.count, lanes[index].held == nil else { throw fields.fault(Field.held) }
      try lanes[index].hold(held.field(at: place + 2), of: queues[index], fields.fault(Field.held))
    }
  }

  package func reset() {
    backend.settle()
    backend.forget()
    for lane in lanes { lane.reset() }
    accepted = []
    holdsBack.store(true, ordering: .relaxed)
  }

  /// Gives the driver what the backend had and has ended.
  private func giveBack(_ lane: BlockLane, _ queue: VirtQueue) {
    while let request = backend.takeEnded(queue: queue.index) {
      finish(request, request.status, queue)
      lane.takeBack(request)
    }
  }

  private func finish(_ request: BlockRequest, _ status: BlockStatus, _ queue: VirtQueue) {
    request.writeStatus(status)
    queue.push(request.chain, written: request.chain.writableCount)
  }

  /// Has the backend do what a request says, or ends it.
  private func begin(
    _ request: BlockRequest, _ lane: BlockLane, _ queue: VirtQueue
  ) throws(QueueFault) -> BlockProgress {
    let chain = request.chain
    // Without room for the status there is no answer (5.2.6.1).
    guard chain.writableCount >= 1, let header = request.header else { throw .request }
    guard let kind = BlockRequest.Kind(rawValue: header.kind) else {
      return .ended(.unsupported)
    }
    switch kind {
    case .identify: return .ended(identify(request))
    case .flush:
      guard accepted.contains(.flush) else { return .ended(.unsupported) }
      request.set(.flush)
    case .read:
      request.findRoom()
      guard let offset = place(header.sector, request.dataCount) else { return .ended(.failed) }
      request.set(.read(offset: offset))
    case .write:
      request.findData()
      guard !shape.isReadOnly, let offset = place(header.sector, request.dataCount) else {
        return .ended(.failed)
      }
      request.set(.write(offset: offset, isDurable: isDurable))
    case .discard, .writeZeroes:
      guard accepted.contains(kind == .discard ? .discard : .writeZeroes) else { return .ended(.unsupported) }
      request.findData()
      guard let bytes = request.data.bytes(count: BlockRequest.rangeSize),
        request.dataCount == BlockRequest.rangeSize
      else { return .ended(.failed) }
      switch range(bytes, kind) {
      case .success(let operation): request.set(operation)
      case .failure(let status): return .ended(status)
      }
    }
    let isAlone = lane.underWay == 0 && !queue.hasWork
    // What has ended does not wait for what takes its time.
    if isAlone { queue.notifyDriver() }
    return backend.begin(request, isAlone: isAlone)
  }

  /// The driver gets nothing held back.
  private var isDurable: Bool { !holdsBack.load(ordering: .relaxed) }

  private func identify(_ request: BlockRequest) -> BlockStatus {
    request.findRoom()
    var serial = [UInt8](shape.serial.prefix(BlockShape.serialLimit))
    serial += [UInt8](repeating: 0, count: BlockShape.serialLimit - serial.count)
    guard request.dataCount >= serial.count else { return .failed }
    request.data.copy(from: serial)
    return .ok
  }

  /// Where whole sectors begin, if they are on the disk.
  private func place(_ sector: UInt64, _ count: Int) -> UInt64? {
    let end = sectors.load(ordering: .relaxed)
    let length = UInt64(count)
    guard length % BlockShape.sector == 0, sector <= end, length / BlockShape.sector <= end - sector else { return nil }
    return sector * BlockShape.sector
  }

  private enum RangeAnswer {
    case success(BlockOperation)
    case failure(BlockStatus)
  }

  /// struct virtio_blk_discard_write_zeroes (5.2.6).
  private func range(_ bytes: [UInt8], _ kind: BlockRequest.Kind) -> RangeAnswer {
    let sectors = UInt64(bytes.field(UInt32.self, at: 8))
    let flags = bytes.field(UInt32.self, at: 12)
    // 5.2.6.2: unmap is for writing zeroes, all other bits are reserved.
    guard flags & ~(kind == .writeZeroes ? 1 : 0) == 0 else { return .failure(.unsupported) }
    let limit = kind == .discard ? Self.discardLimit : Self.zeroesLimit
    guard !shape.isReadOnly, sectors <= UInt64(limit),
      let offset = place(bytes.field(at: 0), Int(sectors * BlockShape.sector))
    else { return .failure(.failed) }
    let count = sectors * BlockShape.sector
    if kind == .discard { return .success(.discard(offset: offset, count: count)) }
    return .success(
      .writeZeroes(offset: offset, count: count, mayDiscard: flags & 1 == 1, isDurable: isDurable))
  }
}

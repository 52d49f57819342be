package import GuestMemory
internal import LittleEndian
package import State
internal import Synchronization
package import Virtio

/// Takes guest memory that the guest has no use for.
package protocol BalloonBackend: AnyObject {
  /// Gives the pages that lie wholly in `slice` back to the host. They may be used again, and read as zero then, or as they
  /// did in the file that the machine was restored from.
  func release(_ slice: GuestSlice)

  /// The guest has told its statistics anew.
  func statisticsCame()
}

/// What a guest says of its memory (Virtio 1.2, 5.5.6.3), in bytes; nil for what it does not say.
package struct BalloonStatistics: Equatable, Sendable {
  package internal(set) var free: UInt64?  // VIRTIO_BALLOON_S_MEMFREE
  package internal(set) var total: UInt64?  // MEMTOT
  package internal(set) var available: UInt64?  // AVAIL
  package internal(set) var caches: UInt64?  // CACHES
}

/// A memory balloon (Virtio 1.2, 5.5): the host asks the guest for pages, and the guest tells of those that are free.
package final class BalloonDevice: VirtioDevice {
  /// Bytes of a page, whatever the guest's own are.
  package static let pageSize: UInt64 = 4096
  /// Bytes of page numbers in one request; Linux gives 1 KiB, Windows a page.
  private static let numbersLimit = 4096
  /// Each page may be a call to the host by itself, each range of free ones takes as long as it is large.
  private static let inflatingTurn = Turn(requests: 64, bytes: numbersLimit)
  private static let reportingTurn = Turn(requests: 64, bytes: 128 << 20, pieces: 256)
  private static let statisticSize = 10

  package let id: UInt32 = 5
  package let features: Features = [.statistics, .deflatesWhenShort, .freePageReporting]
  // Linux reports 32 ranges at once.
  package let queueSizes: [UInt16] = [64, 64, 8, 64]
  // Those are of 4 MiB each.
  package let requestLimit = RequestLimit(descriptors: 64, bytes: 256 << 20)

  private let memory: GuestMemory
  private let backend: any BalloonBackend
  private let wanted = Atomic<UInt32>(0)
  private let given = Atomic<UInt32>(0)
  private var accepted: Features = []
  private var statisticsQueue: VirtQueue?
  private var chain = DescriptorChain()
  /// The buffer for statistics, which is with the device until it wants new ones.
  private var statisticsBuffer: DescriptorChain?
  package private(set) var statistics = BalloonStatistics()

  package init(memory: GuestMemory, backend: any BalloonBackend) {
    self.memory = memory
    self.backend = backend
  }

  /// 5.5.4: le32 num_pages, le32 actual; those of features that are not offered are left out.
  package var configuration: [UInt8] {
    littleEndian(wanted.load(ordering: .relaxed)) + littleEndian(given.load(ordering: .relaxed))
  }

  /// The driver tells how many pages it has given; a hostile one anything.
  package func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {
    if offset == 4, width == 4 { given.store(value, ordering: .relaxed) }
  }

  /// Bytes that the guest is asked for; the transport's `configurationChanged` then tells the driver.
  package var target: UInt64 {
    get { UInt64(wanted.load(ordering: .relaxed)) * Self.pageSize }
    set { wanted.store(UInt32(clamping: newValue / Self.pageSize), ordering: .relaxed) }
  }

  /// Bytes that the guest has given, by what it says.
  package var actual: UInt64 { UInt64(given.load(ordering: .relaxed)) * Self.pageSize }

  package func start(_ queues: [VirtQueue], features: Features) {
    accepted = features
    statisticsQueue = statisticsIndex.flatMap { $0 < queues.count ? queues[$0] : nil }
  }

  package func reset() {
    accepted = []
    statisticsQueue = nil
    statisticsBuffer = nil
    statistics = BalloonStatistics()
    given.store(0, ordering: .relaxed)
  }

  private enum Field {
    static let wanted: UInt16 = 1
    static let given: UInt16 = 2
    static let buffer: UInt16 = 3
    static let free: UInt16 = 4
    static let total: UInt16 = 5
    static let available: UInt16 = 6
    static let caches: UInt16 = 7
  }

  package func save(to fields: inout FieldWriter) {
    fields.put(Field.wanted, wanted.load(ordering: .relaxed))
    fields.put(Field.given, given.load(ordering: .relaxed))
    if let statisticsBuffer { fields.put(Field.buffer, statisticsBuffer.head) }
    if let value = statistics.free { fields.put(Field.free, value) }
    if let value = statistics.total { fields.put(Field.total, value) }
    if let value = statistics.available { fields.put(Field.available, value) }
    if let value = statistics.caches { fields.put(Field.caches, value) }
  }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    wanted.store(try fields.number(Field.wanted), ordering: .relaxed)
    given.store(try fields.number(Field.given), ordering: .relaxed)
    if let head: UInt16 = try fields.optional(Field.buffer) {
      guard let statisticsQueue else { throw fields.fault(Field.buffer) }
      var buffer = DescriptorChain()
      if try statisticsQueue.walkAgain(head: head, &buffer, fields.fault(Field.buffer)) { statisticsBuffer = buffer }
    }
    statistics.free = try fields.optional(Field.free)
    statistics.total = try fields.optional(Field.total)
    statistics.available = try fields.optional(Field.available)
    statistics.caches = try fields.optional(Field.caches)
  }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    switch queue.index {
    case 0:
      try queue.drain(&chain, turn: Self.inflatingTurn) { chain throws(QueueFault) in
        try inflate(chain)
        return 0
      }
    // The guest takes its pages as it likes: they are there when it touches them.
    case 1: try queue.drain(&chain) { _ in 0 }
    case statisticsIndex: try takeStatistics(queue)
    case reportingIndex:
      try queue.drain(&chain, turn: Self.reportingTurn) { chain throws(QueueFault) in
        guard chain.readable.isEmpty else { throw .request }
        for slice in chain.writable { backend.release(slice) }
        return 0
      }
    default: break
    }
  }

  /// Drivers number the queues that they know without gaps, whatever 5.5.2 says.
  private var statisticsIndex: Int? { accepted.contains(.statistics) ? 2 : nil }
  private var reportingIndex: Int? {
    accepted.contains(.freePageReporting) ? (accepted.contains(.statistics) ? 3 : 2) : nil
  }

  /// Page numbers, le32 each (5.5.6).
  private func inflate(_ chain: DescriptorChain) throws(QueueFault) {
    let count = chain.readableCount
    guard chain.writable.isEmpty, count % 4 == 0, count <= Self.numbersLimit,
      let bytes = chain.readable.bytes(count: count)
    else { throw .request }
    var run: Range<UInt64> = 0..<0
    for place in stride(from: 0, to: count, by: 4) {
      let number = UInt64(bytes.field(UInt32.self, at: place))
      if number == run.upperBound, !run.isEmpty {
        run = run.lowerBound..<number + 1
      } else if number + 1 == run.lowerBound {
        run = number..<run.upperBound
      } else {
        release(run)
        run = number..<number + 1
      }
    }
    release(run)
  }

  /// Pages outside RAM are nobody's to give.
  private func release(_ pages: Range<UInt64>) {
    guard !pages.isEmpty else { return }
    let count = Int(UInt64(pages.count) * Self.pageSize)
    if let slice = try? memory.slice(at: pages.lowerBound * Self.pageSize, count: count) {
      return backend.release(slice)
    }
    if pages.count == 1 { return }
    for page in pages { release(page..<page + 1) }
  }

  // MARK: Statistics

  /// Asks the guest for new statistics; false if it gives none.
  package func askForStatistics() -> Bool {
    guard let queue = statisticsQueue, let buffer = statisticsBuffer else { return false }
    statisticsBuffer = nil
    queue.push(buffer)
    queue.notifyDriver()
    // A second buffer, which no notification will announce.
    if queue.hasWork { _ = queue.requestService() }
    return true
  }

  /// le16 tag, le64 value each (5.5.6.3). One buffer at a time is with the device; more wait in the queue.
  private func takeStatistics(_ queue: VirtQueue) throws(QueueFault) {
    while statisticsBuffer == nil {
      queue.disableNotifications()
      guard try queue.pop(&chain) else {
        if queue.enableNotifications() { return }
        continue
      }
      let count = chain.readableCount / Self.statisticSize * Self.statisticSize
      guard count <= Self.numbersLimit, let bytes = chain.readable.bytes(count: count) else { throw .request }
      var statistics = BalloonStatistics()
      for place in stride(from: 0, to: count, by: Self.statisticSize) {
        let value: UInt64 = bytes.field(at: place + 2)
        switch bytes.field(UInt16.self, at: place) {
        case 4: statistics.free = value
        case 5: statistics.total = value
        case 6: statistics.available = value
        case 7: statistics.caches = value
        default: break
        }
      }
      self.statistics = statistics
      statisticsBuffer = chain
      _ = queue.enableNotifications()
      backend.statisticsCame()
    }
  }
}

/// Feature bits of a balloon (Virtio 1.2, 5.5.3): VIRTIO_BALLOON_F_…
extension Features {
  static let statistics = Features(rawValue: 1 << 1)  // STATS_VQ
  static let deflatesWhenShort = Features(rawValue: 1 << 2)  // DEFLATE_ON_OOM
  static let freePageReporting = Features(rawValue: 1 << 5)  // PAGE_REPORTING
}

import GuestMemory
import LittleEndian
import Testing
import Virtio
import VirtioTesting

@testable import Devices

struct BalloonDeviceTests {
  /// Notes what it is given.
  private final class Host: BalloonBackend {
    var released: [Int] = []
    var statistics = 0
    func release(_ slice: GuestSlice) {
      released.append(slice.count)
      slice.fill(0xaa)
    }
    func statisticsCame() { statistics += 1 }
  }

  private final class Driver {
    let memory = FakeGuestMemory(size: 1 << 20)
    let host = Host()
    let device: BalloonDevice
    private(set) var queues: [DriverQueue] = []

    init(without refused: Features = []) {
      device = BalloonDevice(memory: memory, backend: host)
      for (index, size) in device.queueSizes.enumerated() {
        queues.append(DriverQueue(memory, size: size, base: 0x1000 + 0x8000 * UInt64(index), index: index))
      }
      device.start(queues.map(\.deviceSide), features: device.features.union(.common).subtracting(refused))
    }

    func process(_ queue: Int) throws { try device.process(queues[queue].deviceSide) }

    func inflate(_ pages: [UInt32]) throws {
      let bytes = pages.flatMap { littleEndian($0) }
      try memory.write(bytes, at: 0x4_0000)
      queues[0].offer([.readable(0x4_0000, UInt32(bytes.count))])
      try process(0)
    }
  }

  @Test func configuration() {
    let driver = Driver()
    #expect(driver.device.id == 5 && driver.device.configuration == [0, 0, 0, 0, 0, 0, 0, 0])
    driver.device.target = 0x12345 << 12
    driver.device.writeConfiguration(0x1234, at: 4, width: 4)
    #expect(driver.device.configuration == [0x45, 0x23, 1, 0, 0x34, 0x12, 0, 0])
    #expect(driver.device.target == 0x12345 << 12 && driver.device.actual == 0x1234 << 12)
    for offset in 0..<16 where offset != 4 { driver.device.writeConfiguration(.max, at: offset, width: 4) }
    driver.device.writeConfiguration(.max, at: 4, width: 1)
    #expect(driver.device.actual == 0x1234 << 12)
    driver.device.target = .max
    #expect(driver.device.target == UInt64(UInt32.max) << 12)
  }

  /// Neighbours go at once, upwards and downwards.
  @Test func inflates() throws {
    let driver = Driver()
    try driver.inflate([0x80, 0x81, 0x82, 0x90, 0x8f, 0xa0])
    #expect(driver.host.released == [3 * 4096, 2 * 4096, 4096])
    #expect(driver.queues[0].reap()?.written == 0)
    for page in [0x80, 0x82, 0x8f, 0x90, 0xa0] as [UInt64] {
      #expect(try driver.memory.load(UInt8.self, at: page << 12) == 0xaa)
      #expect(try driver.memory.load(UInt8.self, at: (page << 12) + 4095) == 0xaa)
    }
    for page in [0x7f, 0x83] as [UInt64] { #expect(try driver.memory.load(UInt8.self, at: page << 12) == 0) }
  }

  @Test func deflates() throws {
    let driver = Driver()
    driver.queues[1].offer([.readable(0x4_0000, 16)])
    try driver.process(1)
    #expect(driver.queues[1].reap() != nil && driver.host.released.isEmpty)
  }

  @Test func reportsOfFreePages() throws {
    let driver = Driver()
    driver.queues[3].offer([.writable(0x8_0000, 0x2_0000), .writable(0xc_0000, 0x1000)])
    try driver.process(3)
    #expect(driver.host.released == [0x2_0000, 0x1000] && driver.queues[3].reap()?.written == 0)
    // A driver without statistics numbers its queues otherwise.
    let other = Driver(without: .statistics)
    other.queues[2].offer([.writable(0x8_0000, 0x1000)])
    try other.process(2)
    #expect(other.host.released == [0x1000])
    // One without reports has no such queue.
    let old = Driver(without: .freePageReporting)
    old.queues[3].offer([.writable(0x8_0000, 0x1000)])
    try old.process(3)
    #expect(old.host.released.isEmpty && old.queues[3].reap() == nil)
  }

  @Test func statistics() throws {
    let driver = Driver()
    #expect(!driver.device.askForStatistics())
    let words: [(UInt16, UInt64)] = [(4, 1 << 20), (5, 2 << 30), (6, 3), (7, 4), (99, 5), (0, 6)]
    try driver.memory.write(words.flatMap { littleEndian($0.0) + littleEndian($0.1) } + [4, 0, 1], at: 0x4_0000)
    driver.queues[2].offer([.readable(0x4_0000, UInt32(10 * words.count + 3))])
    try driver.process(2)
    #expect(driver.queues[2].reap() == nil && driver.host.statistics == 1)
    let statistics = driver.device.statistics
    #expect(statistics.free == 1 << 20 && statistics.total == 2 << 30)
    #expect(statistics.available == 3 && statistics.caches == 4)
    // Another buffer waits until the first goes back.
    driver.queues[2].offer([.readable(0x4_0000, 0)])
    #expect(driver.queues[2].wantsNotification)
    try driver.process(2)
    #expect(driver.host.statistics == 1)
    #expect(driver.device.askForStatistics())
    #expect(driver.queues[2].reap() != nil && driver.queues[2].interrupts.count == 1)
    try driver.process(2)
    #expect(driver.host.statistics == 2 && driver.device.statistics == BalloonStatistics())
    driver.device.reset()
    #expect(!driver.device.askForStatistics())
  }

  // MARK: Hostile drivers

  @Test func pagesOutsideMemory() throws {
    let driver = Driver()
    try driver.inflate([0xff, 0x100, .max, .max - 1, 0])
    // Of a run that leaves RAM, what lies in it.
    #expect(driver.host.released.reduce(0, +) == 2 * 4096)
  }

  @Test(
    arguments: [
      (0, [DriverBuffer.readable(0x4_0000, 3)]), (0, [.readable(0x4_0000, 0x1_0004)]),
      (0, [.readable(0x4_0000, 4), .writable(0x5_0000, 4)]), (3, [.readable(0x4_0000, 0x1000)]),
      (2, [.readable(0x4_0000, 0x2_0000)]),
    ] as [(Int, [DriverBuffer])])
  func nonsenseIsAFault(_ queue: Int, _ buffers: [DriverBuffer]) {
    let driver = Driver()
    driver.queues[queue].offer(buffers)
    #expect(throws: QueueFault.request) { try driver.process(queue) }
  }
}

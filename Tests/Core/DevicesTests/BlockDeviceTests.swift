import GuestMemory
import Testing
import Virtio
import VirtioTesting

@testable import Devices

struct BlockDeviceTests {
  private static let (read, write, flush, identify, discard, zero): (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) =
    (0, 1, 4, 8, 11, 13)
  private static let (ok, failed, unsupported): (UInt8, UInt8, UInt8) = (0, 1, 2)

  // MARK: What it is

  @Test func configuration() {
    var shape = BlockShape()
    shape.physicalBlockSize = 4096
    shape.optimalTransfer = 65536
    let device = BlockDriver(queues: 3, shape: shape).device
    #expect(device.id == 2)
    #expect(device.queueSizes == [16, 16, 16])
    let expected: [UInt8] = [
      64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 14, 0, 0, 0,  // capacity, size_max, seg_max
      0, 0, 0, 0, 0, 2, 0, 0, 3, 0, 0, 0, 128, 0, 0, 0,  // geometry, blk_size, topology
      1, 0, 3, 0, 0, 0, 0x20, 0, 1, 0, 0, 0, 8, 0, 0, 0,  // writeback, num_queues, discard
      0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0,  // write zeroes
    ]
    #expect(device.configuration == expected)
    #expect(device.features.isSuperset(of: [.flush, .cacheChoice, .manyBlockQueues, .discard, .writeZeroes]))
    device.resize(1 << 40)
    #expect(device.configuration[..<8] == [0, 0, 0, 0x80, 0, 0, 0, 0])
  }

  @Test func readOnly() throws {
    var shape = BlockShape()
    shape.isReadOnly = true
    let driver = BlockDriver(shape: shape)
    #expect(driver.device.features.contains(.readOnly))
    #expect(driver.device.features.isDisjoint(with: [.discard, .writeZeroes, .manyBlockQueues]))
    let before = driver.disk.bytes
    #expect(try driver.ask(Self.write, send: [UInt8](repeating: 1, count: 512)).status == Self.failed)
    #expect(try driver.ask(Self.discard, send: BlockDriver.range(0, 1)).status == Self.unsupported)
    #expect(try driver.ask(Self.read, receive: 512).status == Self.ok)
    #expect(driver.disk.bytes == before && driver.disk.operations == [.read(offset: 0)])
  }

  // MARK: What it does

  @Test func readsAndWrites() throws {
    let driver = BlockDriver()
    #expect(try driver.ask(Self.read, sector: 5, receive: 1024).data == Array(driver.disk.bytes[2560..<3584]))
    let data = (0..<1536).map { UInt8(truncatingIfNeeded: $0 * 7) }
    #expect(try driver.ask(Self.write, sector: 61, send: data).status == Self.ok)
    #expect(Array(driver.disk.bytes[(61 * 512)...]) == data)
    #expect(driver.disk.operations.last == .write(offset: 61 * 512, isDurable: false))
    #expect(try driver.ask(Self.read, sector: 61, receive: 1536).data == data)
  }

  /// Header, data and status may be cut anywhere (2.7.4.1), and may share buffers.
  @Test func buffersOfAnyShape() throws {
    let driver = BlockDriver()
    let place = driver.place(4096)
    try driver.memory.write(BlockDriver.header(Self.write, 2) + [UInt8](repeating: 9, count: 512), at: place)
    driver.queues[0].offer([
      .readable(place, 3), .readable(place + 3, 100), .readable(place + 103, 425), .writable(place + 600, 1),
    ])
    try driver.memory.write(BlockDriver.header(Self.read, 2), at: place + 1024)
    driver.queues[0].offer(
      [.readable(place + 1024, 16), .writable(place + 1100, 500), .writable(place + 1600, 13)], indirect: true)
    try driver.process()
    #expect(driver.queues[0].reap()?.written == 1 && driver.queues[0].reap()?.written == 513)
    #expect(try driver.memory.read(count: 513, at: place + 1100) == [UInt8](repeating: 9, count: 512) + [0])
  }

  @Test func serialNumber() throws {
    var shape = BlockShape()
    shape.serial = Array("a serial number that is too long".utf8)
    let long = BlockDriver(shape: shape)
    #expect(try long.ask(Self.identify, receive: 20).data == Array("a serial number that".utf8))
    shape.serial = Array("short".utf8)
    let short = BlockDriver(shape: shape)
    #expect(try short.ask(Self.identify, receive: 20).data == Array("short".utf8) + [UInt8](repeating: 0, count: 15))
    #expect(try short.ask(Self.identify, receive: 19).status == Self.failed)
    #expect(short.disk.operations.isEmpty)
  }

  @Test func flushes() throws {
    let driver = BlockDriver()
    #expect(try driver.ask(Self.flush).status == Self.ok)
    driver.disk.fails = true
    #expect(try driver.ask(Self.flush).status == Self.failed)
    #expect(driver.disk.operations == [.flush, .flush])
    #expect(try BlockDriver(without: .flush).ask(Self.flush).status == Self.unsupported)
  }

  /// A driver that knows no flushes, or does without them, gets nothing held back (5.2.6.2).
  @Test func writesThrough() throws {
    let sector = [UInt8](repeating: 1, count: 512)
    let old = BlockDriver(without: [.flush, .cacheChoice])
    _ = try old.ask(Self.write, send: sector)
    #expect(old.disk.operations == [.write(offset: 0, isDurable: true)])
    let driver = BlockDriver()
    driver.device.writeConfiguration(0, at: 32, width: 1)
    #expect(driver.device.configuration[32] == 0)
    _ = try driver.ask(Self.write, send: sector)
    driver.device.writeConfiguration(1, at: 32, width: 1)
    _ = try driver.ask(Self.write, send: sector)
    driver.device.writeConfiguration(0, at: 33, width: 1)
    driver.device.writeConfiguration(0, at: 32, width: 4)
    #expect(driver.device.configuration[32] == 1)
    #expect(
      driver.disk.operations == [.write(offset: 0, isDurable: true), .write(offset: 0, isDurable: false)])
  }

  @Test func discardsAndZeroes() throws {
    let driver = BlockDriver()
    #expect(try driver.ask(Self.discard, send: BlockDriver.range(8, 16)).status == Self.ok)
    #expect(try driver.ask(Self.zero, send: BlockDriver.range(62, 2, 1)).status == Self.ok)
    #expect(try driver.ask(Self.zero, send: BlockDriver.range(0, 1)).status == Self.ok)
    #expect(
      driver.disk.operations == [
        .discard(offset: 4096, count: 8192),
        .writeZeroes(offset: 62 * 512, count: 1024, mayDiscard: true, isDurable: false),
        .writeZeroes(offset: 0, count: 512, mayDiscard: false, isDurable: false),
      ])
  }

  // MARK: Requests that end later

  @Test func endsInAnyOrder() throws {
    let driver = BlockDriver()
    driver.disk.manner = .later
    let requests = try (0..<3).map { try driver.offer(Self.read, sector: UInt64($0), receive: 512) }
    try driver.process()
    #expect(driver.disk.wereAlone == [false, false, false])
    #expect(driver.queues[0].reap() == nil)
    driver.disk.end(1)
    try driver.process()
    #expect(driver.queues[0].reap()?.written == 513 && driver.queues[0].reap() == nil)
    #expect(try driver.memory.load(UInt8.self, at: requests[1].status) == Self.ok)
    #expect(try driver.memory.load(UInt8.self, at: requests[0].status) == 0xee)
    #expect(try driver.memory.read(count: 512, at: requests[1].data) == Array(driver.disk.bytes[512..<1024]))
    driver.disk.end(1)
    driver.disk.end(0)
    try driver.process()
    #expect(driver.queues[0].reap() != nil && driver.queues[0].reap() != nil)
    #expect(driver.queues[0].interrupts.count == 2)
    // Alone again.
    try driver.offer(Self.read, receive: 512)
    try driver.process()
    #expect(driver.disk.wereAlone.last == true)
  }

  @Test func waitsForItsTurn() throws {
    let driver = BlockDriver()
    driver.disk.manner = .notYet
    try driver.offer(Self.read, receive: 512)
    try driver.offer(Self.flush)
    try driver.process()
    #expect(driver.queues[0].reap() == nil && driver.disk.operations.isEmpty)
    driver.disk.manner = .atOnce
    try driver.process()
    #expect(driver.queues[0].reap() != nil && driver.queues[0].reap() != nil)
    #expect(driver.disk.operations == [.read(offset: 0), .flush])
  }

  @Test func queuesAreApart() throws {
    let driver = BlockDriver(queues: 2)
    driver.disk.manner = .later
    try driver.offer(Self.read, receive: 512, queue: 0)
    try driver.offer(Self.read, sector: 1, receive: 512, queue: 1)
    try driver.process(0)
    try driver.process(1)
    #expect(driver.disk.wereAlone == [true, true])
    driver.disk.end(1)
    try driver.process(0)
    #expect(driver.queues[0].reap() == nil)
    try driver.process(1)
    #expect(driver.queues[1].reap() != nil)
  }

  @Test func resetForgetsWhatIsUnderWay() throws {
    let driver = BlockDriver()
    driver.disk.manner = .later
    try driver.offer(Self.read, receive: 512)
    try driver.process()
    driver.device.reset()
    #expect(driver.disk.settles == 1)
    driver.device.start(driver.queues.map(\.deviceSide), features: driver.device.features.union(.common))
    driver.disk.manner = .atOnce
    #expect(try driver.ask(Self.read, receive: 512).status == Self.ok)
    #expect(driver.disk.wereAlone.last == true)
  }

  // MARK: Hostile drivers

  @Test(arguments: [
    (UInt64(64), 512), (63, 1024), (UInt64.max, 512), (UInt64.max - 1, 1024), (1 << 55, 512), (0, 511), (0, 513),
  ])
  func outsideTheDisk(_ sector: UInt64, _ count: Int) throws {
    let driver = BlockDriver()
    #expect(try driver.ask(Self.read, sector: sector, receive: count).status == Self.failed)
    #expect(
      try driver.ask(Self.write, sector: sector, send: [UInt8](repeating: 0, count: count)).status == Self.failed)
    #expect(driver.disk.operations.isEmpty)
  }

  @Test(arguments: [
    (UInt64(64), UInt32(1), UInt32(0), failed), (0, 65, 0, failed), (UInt64.max, 2, 0, failed), (0, .max, 0, failed),
    (0, 1, 2, unsupported), (0, 1, .max, unsupported),
  ])
  func rangesOfNonsense(_ sector: UInt64, _ count: UInt32, _ flags: UInt32, _ status: UInt8) throws {
    let driver = BlockDriver()
    for kind in [Self.discard, Self.zero] {
      #expect(try driver.ask(kind, send: BlockDriver.range(sector, count, flags)).status == status)
    }
    #expect(driver.disk.operations.isEmpty)
  }

  @Test func otherNonsense() throws {
    let driver = BlockDriver()
    for kind: UInt32 in [2, 3, 10, 14, 0x8000_0000, .max] {
      #expect(try driver.ask(kind, send: [1, 2, 3]).status == Self.unsupported)
    }
    // unmap is not for discarding; two ranges are more than was offered; one cut short.
    #expect(try driver.ask(Self.discard, send: BlockDriver.range(0, 1, 1)).status == Self.unsupported)
    let two = BlockDriver.range(0, 1) + BlockDriver.range(1, 1)
    #expect(try driver.ask(Self.discard, send: two).status == Self.failed)
    #expect(try driver.ask(Self.zero, send: Array(two.prefix(15))).status == Self.failed)
    #expect(try driver.ask(Self.read, sector: 64).status == Self.ok)  // Nothing, at the end.
    #expect(driver.disk.operations == [.read(offset: 64 * 512)])
  }

  @Test(arguments: [
    [DriverBuffer.readable(0x8_0000, 16)], [.writable(0x8_0000, 1)], [.readable(0x8_0000, 15), .writable(0x9_0000, 1)],
  ])
  func noAnswerIsAFault(_ buffers: [DriverBuffer]) {
    let driver = BlockDriver()
    driver.queues[0].offer(buffers)
    #expect(throws: QueueFault.request) { try driver.process() }
  }

  @Test func configurationIsTheDrivers() {
    let driver = BlockDriver(without: .cacheChoice)
    let before = driver.device.configuration
    for offset in 0..<64 {
      driver.device.writeConfiguration(.max, at: offset, width: 1)
      driver.device.writeConfiguration(.max, at: offset, width: 4)
    }
    #expect(driver.device.configuration == before)
  }
}

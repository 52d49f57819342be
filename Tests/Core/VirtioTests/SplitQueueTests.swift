import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

struct SplitQueueTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private static let plain: Features = [.version1]
  private static let limit = RequestLimit(descriptors: 64, bytes: 1 << 20)

  private func pop(_ driver: DriverQueue) throws(QueueFault) -> DescriptorChain? {
    var chain = DescriptorChain()
    return try driver.deviceSide.pop(&chain) ? chain : nil
  }

  // MARK: Chains

  @Test(arguments: [false, true]) func chainsKeepTheirOrder(indirect: Bool) throws {
    let driver = DriverQueue(memory, size: 8)
    #expect(try pop(driver) == nil)
    let head = driver.offer(
      [.readable(0x8000, 1), .readable(0x8100, 2), .writable(0x9000, 3), .writable(0x9100, 4)], indirect: indirect)
    let chain = try #require(try pop(driver))
    #expect(chain.head == head)
    #expect(chain.readable.map(\.count) == [1, 2])
    #expect(chain.writable.map(\.count) == [3, 4])
    #expect(chain.readableCount == 3 && chain.writableCount == 7)
    driver.deviceSide.push(chain, written: 7)
    let used = try #require(driver.reap())
    #expect(used.head == head && used.written == 7)
    #expect(driver.reap() == nil)
  }

  @Test func indirectTableMayFollowOrdinaryDescriptors() throws {
    let driver = DriverQueue(memory, size: 8)
    // 2.7.5.3.2: zero or more normal chained descriptors followed by a single indirect one, its write flag ignored.
    driver.writeDescriptor(0, address: 0x8000, length: 5, flags: 1, next: 3)
    driver.writeDescriptor(3, address: driver.indirectTable, length: 32, flags: 4 | 2, next: 0)
    try writeIndirect(driver, 0, address: 0x8100, length: 6, flags: 1, next: 1)
    try writeIndirect(driver, 1, address: 0x9000, length: 7, flags: 2, next: 0)
    driver.publish(0)
    let chain = try #require(try pop(driver))
    #expect(chain.readable.map(\.count) == [5, 6] && chain.writable.map(\.count) == [7])
  }

  @Test func indicesWrap() throws {
    let driver = DriverQueue(memory, size: 4)
    for round in 0..<70_000 as Range<UInt32> {
      let head = driver.offer([.writable(0x8000, round % 100 + 1)])
      let chain = try #require(try pop(driver))
      try #require(chain.head == head && chain.writableCount == Int(round % 100) + 1)
      driver.deviceSide.push(chain, written: Int(round % 100))
      try #require(driver.deviceSide.hasWork == false)
      let used = try #require(driver.reap())
      try #require(used.head == head && used.written == Int(round % 100))
    }
  }

  @Test func fullRing() throws {
    let driver = DriverQueue(memory, size: 8)
    for _ in 0..<8 { driver.offer([.writable(0x8000, 1)]) }
    for _ in 0..<8 { driver.deviceSide.push(try #require(try pop(driver))) }
    #expect(try pop(driver) == nil)
    for _ in 0..<8 { #expect(driver.reap() != nil) }
    #expect(driver.reap() == nil)
  }

  @Test func completionOutOfOrder() throws {
    let driver = DriverQueue(memory, size: 8)
    let first = driver.offer([.writable(0x8000, 1)])
    let second = driver.offer([.writable(0x8000, 1)])
    let (one, two) = (try #require(try pop(driver)), try #require(try pop(driver)))
    driver.deviceSide.push(two, written: 2)
    driver.deviceSide.push(one, written: 1)
    #expect(try #require(driver.reap()) == (second, 2))
    #expect(try #require(driver.reap()) == (first, 1))
  }

  // MARK: Hostile chains

  @Test(arguments: [8, 9, 0x7fff, 0xffff] as [UInt16]) func headOutsideTheTable(head: UInt16) {
    let driver = DriverQueue(memory, size: 8)
    driver.publish(head)
    #expect(throws: QueueFault.descriptorIndex(head)) { try pop(driver) }
    // Dead until the reset.
    #expect(!driver.deviceSide.isLive)
    #expect(throws: Never.self) { try #require(try pop(driver) == nil) }
  }

  @Test func nextOutsideTheTable() {
    let driver = DriverQueue(memory, size: 8)
    driver.writeDescriptor(0, address: 0x8000, length: 1, flags: 1, next: 8)
    driver.publish(0)
    #expect(throws: QueueFault.descriptorIndex(8)) { try pop(driver) }
  }

  @Test(arguments: [1, 2, 8]) func loops(length: UInt16) {
    let driver = DriverQueue(memory, size: 8)
    for index in 0..<length {
      driver.writeDescriptor(index, address: 0x8000, length: 1, flags: 1, next: (index + 1) % length)
    }
    driver.publish(0)
    #expect(throws: QueueFault.chainTooLong) { try pop(driver) }
  }

  @Test func longestChain() throws {
    let driver = DriverQueue(memory, size: 8)
    driver.offer((0..<8).map { .readable(0x8000 + 16 * $0, 16) })
    #expect(try pop(driver)?.readable.count == 8)
  }

  @Test(
    arguments: [
      (0x10_0000, 1), (0xf_ffff, 2), (0x8000, UInt32.max), (UInt64.max, 1), (UInt64.max - 3, 8), (1 << 63, 4096),
    ] as [(UInt64, UInt32)])
  func buffersOutsideRAM(address: UInt64, length: UInt32) {
    for indirect in [false, true] {
      let driver = DriverQueue(memory, size: 8, limit: RequestLimit(descriptors: 8, bytes: .max))
      driver.offer([.readable(0x8000, 1), .writable(address, length)], indirect: indirect)
      #expect(throws: QueueFault.memory(.outside(address: address, count: Int(length)))) { try pop(driver) }
    }
  }

  @Test func emptyBuffersAreHarmless() throws {
    let driver = DriverQueue(memory, size: 8)
    driver.offer([.readable(.max, 0), .readable(0x8000, 4), .writable(0x9000, 0)])
    let chain = try #require(try pop(driver))
    #expect(chain.readableCount == 4 && chain.writableCount == 0)
    #expect(chain.readable.bytes(count: 4)?.count == 4)
  }

  @Test func emptyBuffersAreNothing() throws {
    let driver = DriverQueue(memory, size: 8)
    driver.offer(
      [.writable(.max, 0), .readable(0x8000, 4), .readable(0x8000, 0), .writable(0x9000, 0), .writable(0x9000, 3)])
    let chain = try #require(try pop(driver))
    #expect(chain.readable.map(\.count) == [4] && chain.writable.map(\.count) == [3])
  }

  @Test(arguments: [1, 8] as [UInt16]) func chainsAreOfferedOnlyWhereOneWasGivenBack(size: UInt16) throws {
    let driver = DriverQueue(memory, size: size)
    driver.writeDescriptor(0, address: 0x8000, length: 1, flags: 0, next: 0)
    var held: [DescriptorChain] = []
    for _ in 0..<size {
      driver.publish(0)
      held.append(try #require(try pop(driver)))
    }
    // As often as it likes, while what it has got back is one at a time.
    for _ in 0..<1000 {
      driver.deviceSide.push(held.removeLast())
      driver.publish(0)
      held.append(try #require(try pop(driver)))
    }
    let next = UInt16(1000) &+ size &+ 1
    driver.publish(0)
    #expect(throws: QueueFault.availableIndex(next)) { try pop(driver) }
  }

  /// It must not get more under way by going back either.
  @Test func availableIndexThatGoesBack() throws {
    let driver = DriverQueue(memory, size: 8)
    driver.writeDescriptor(0, address: 0x8000, length: 1, flags: 0, next: 0)
    for _ in 0..<5 { driver.publish(0) }
    for _ in 0..<5 { _ = try #require(try pop(driver)) }
    try memory.store(3 as UInt16, at: driver.layout.availableRing + 2)
    #expect(throws: QueueFault.availableIndex(3)) { try pop(driver) }
  }

  @Test func readableAfterWritable() {
    let driver = DriverQueue(memory, size: 8)
    driver.offer([.writable(0x8000, 1), .readable(0x9000, 1)])
    #expect(throws: QueueFault.readableAfterWritable) { try pop(driver) }
  }

  @Test func chainsAreBoundedInBytes() throws {
    // 4096 pieces of 1 MiB reach the limit, one more byte passes it.
    let big = FakeGuestMemory(size: 2 << 20)
    let driver = DriverQueue(big, size: 8, limit: RequestLimit(descriptors: 32768, bytes: .max))
    for (extra, fault) in [(0, nil), (1, QueueFault.chainTooLarge)] as [(UInt64, QueueFault?)] {
      let table: GuestAddress = 0x10_0000
      let count = 4096 + extra
      for index in 0..<count {
        let place = table + 16 * index
        try big.store(0 as UInt64, at: place)
        try big.store(index < 4096 ? 1 << 20 : 1 as UInt32, at: place + 8)
        try big.store(index + 1 < count ? 1 : 0 as UInt16, at: place + 12)
        try big.store(UInt16(truncatingIfNeeded: index + 1), at: place + 14)
      }
      driver.writeDescriptor(0, address: table, length: UInt32(16 * count), flags: 4, next: 0)
      driver.publish(0)
      if let fault {
        #expect(throws: fault) { try pop(driver) }
      } else {
        #expect(try pop(driver)?.readableCount == 1 << 32)
      }
    }
  }

  @Test(
    arguments: [
      (16, 4 | 1), (0, 4), (15, 4), (17, 4), (16 * 65, 4), (16 * 32769, 4),
    ] as [(UInt32, UInt16)])
  func badIndirectTables(length: UInt32, flags: UInt16) {
    let driver = DriverQueue(FakeGuestMemory(size: 2 << 20), size: 8)
    driver.writeDescriptor(0, address: 0x8000, length: length, flags: flags, next: 0)
    driver.publish(0)
    #expect(throws: QueueFault.indirectTable) { try pop(driver) }
  }

  @Test func nestedIndirectTables() throws {
    let driver = DriverQueue(memory, size: 8)
    try writeIndirect(driver, 0, address: driver.indirectTable, length: 16, flags: 4, next: 0)
    driver.writeDescriptor(0, address: driver.indirectTable, length: 16, flags: 4, next: 0)
    driver.publish(0)
    #expect(throws: QueueFault.indirectTable) { try pop(driver) }
  }

  @Test func loopInAnIndirectTable() throws {
    let driver = DriverQueue(memory, size: 8)
    try writeIndirect(driver, 0, address: 0x8000, length: 1, flags: 1, next: 1)
    try writeIndirect(driver, 1, address: 0x8000, length: 1, flags: 1, next: 0)
    driver.writeDescriptor(0, address: driver.indirectTable, length: 32, flags: 4, next: 0)
    driver.publish(0)
    #expect(throws: QueueFault.chainTooLong) { try pop(driver) }
  }

  @Test func nextOutsideAnIndirectTable() throws {
    let driver = DriverQueue(memory, size: 8)
    try writeIndirect(driver, 0, address: 0x8000, length: 1, flags: 1, next: 2)
    driver.writeDescriptor(0, address: driver.indirectTable, length: 32, flags: 4, next: 0)
    driver.publish(0)
    #expect(throws: QueueFault.descriptorIndex(2)) { try pop(driver) }
  }

  @Test func indirectTableOutsideRAM() {
    let driver = DriverQueue(memory, size: 8)
    driver.writeDescriptor(0, address: .max, length: 16, flags: 4, next: 0)
    driver.publish(0)
    #expect(throws: QueueFault.memory(.outside(address: .max, count: 16))) { try pop(driver) }
  }

  @Test func indirectTableThatWasNotNegotiated() {
    let driver = DriverQueue(memory, size: 8, features: Self.plain)
    driver.offer([.readable(0x8000, 1)], indirect: true)
    #expect(throws: QueueFault.indirectTable) { try pop(driver) }
  }

  @Test func availableIndexThatRunsAhead() throws {
    let driver = DriverQueue(memory, size: 8)
    try memory.store(9 as UInt16, at: driver.layout.availableRing + 2)
    #expect(throws: QueueFault.availableIndex(9)) { try pop(driver) }
  }

  @Test func availableIndexThatRunsBack() throws {
    let driver = DriverQueue(memory, size: 8)
    driver.offer([.readable(0x8000, 1)])
    _ = try pop(driver)
    try memory.store(0 as UInt16, at: driver.layout.availableRing + 2)
    #expect(throws: QueueFault.availableIndex(0)) { try pop(driver) }
  }

  // MARK: Setting up

  @Test(arguments: [0, 3, 6, 0xffff, 0x8001] as [UInt16]) func badSizes(size: UInt16) {
    #expect(throws: QueueFault.size(size)) {
      try SplitQueue(memory, size: size, layout: SplitQueue.Layout(), features: .common, limit: Self.limit)
    }
  }

  @Test(
    arguments: [
      (0x1008, 0x2000, 0x3000), (0x1000, 0x2001, 0x3000), (0x1000, 0x2000, 0x3002), (0x10_0000, 0x2000, 0x3000),
      (0x1000, 0xf_fffe, 0x3000), (0x1000, 0x2000, 0xf_fffc), (.max & ~15, 0x2000, 0x3000),
      (0x1000, .max & ~1, 0x3000), (0x1000, 0x2000, .max & ~3),
    ] as [(UInt64, UInt64, UInt64)])
  func badAreas(descriptors: UInt64, available: UInt64, used: UInt64) {
    var layout = SplitQueue.Layout()
    layout.descriptorTable = descriptors
    layout.availableRing = available
    layout.usedRing = used
    #expect(throws: QueueFault.self) {
      try SplitQueue(memory, size: 8, layout: layout, features: .common, limit: Self.limit)
    }
  }

  @Test func areasMayReachTheEndOfRAM() throws {
    var layout = SplitQueue.Layout()
    layout.descriptorTable = 0x10_0000 - 128
    layout.availableRing = 0x1000
    layout.usedRing = 0x2000
    _ = try SplitQueue(memory, size: 8, layout: layout, features: .common, limit: Self.limit)
  }

  // MARK: Notifications

  @Test func interruptsByFlag() throws {
    let driver = DriverQueue(memory, size: 8, features: Self.plain)
    try complete(driver)
    #expect(driver.interrupts.count == 1)
    driver.deviceSide.notifyDriver()
    #expect(driver.interrupts.count == 1)  // Nothing new.
    try memory.store(1 as UInt16, at: driver.layout.availableRing)  // VIRTQ_AVAIL_F_NO_INTERRUPT
    try complete(driver)
    #expect(driver.interrupts.count == 1)
    try memory.store(0 as UInt16, at: driver.layout.availableRing)
    try complete(driver)
    #expect(driver.interrupts.count == 2)
  }

  /// 2.7.7.2: an interrupt exactly when the used index passes used_event, wherever in the 16 bits that is.
  @Test(arguments: [0, 65530] as [UInt32]) func interruptsByEvent(start: UInt32) throws {
    let driver = DriverQueue(memory, size: 8)
    for _ in 0..<start {
      try complete(driver)
      _ = driver.reap()
    }
    let event = driver.layout.availableRing + 4 + 16
    let base = UInt16(truncatingIfNeeded: start)
    try memory.store(base &+ 2, at: event)
    let before = driver.interrupts.count
    for expected in [0, 0, 1, 1, 1] {
      try complete(driver)
      #expect(driver.interrupts.count - before == expected)
    }
    // A batch that jumps over the event counts, too.
    try memory.store(base &+ 6, at: event)
    for _ in 0..<3 { driver.offer([.writable(0x8000, 1)]) }
    for _ in 0..<3 { driver.deviceSide.push(try #require(try pop(driver))) }
    driver.deviceSide.notifyDriver()
    #expect(driver.interrupts.count - before == 2)
  }

  @Test(arguments: [SplitQueueTests.plain, .common]) func notificationsAreArmedAndNoneIsLost(features: Features) throws
  {
    let driver = DriverQueue(memory, size: 8, features: features)
    driver.offer([.writable(0x8000, 1)])
    #expect(driver.wantsNotification)
    driver.deviceSide.disableNotifications()
    _ = try pop(driver)
    driver.offer([.writable(0x8000, 1)])
    #expect(!driver.wantsNotification)
    // It came in unannounced, which arming finds out.
    #expect(!driver.deviceSide.enableNotifications())
    _ = try pop(driver)
    #expect(driver.deviceSide.enableNotifications())
    driver.offer([.writable(0x8000, 1)])
    #expect(driver.wantsNotification)
  }

  // MARK: Helpers

  private func complete(_ driver: DriverQueue) throws {
    driver.offer([.writable(0x8000, 1)])
    driver.deviceSide.push(try #require(try pop(driver)))
    driver.deviceSide.notifyDriver()
  }

  private func writeIndirect(
    _ driver: DriverQueue, _ index: UInt64, address: UInt64, length: UInt32, flags: UInt16, next: UInt16
  ) throws {
    let place = driver.indirectTable + 16 * index
    try memory.store(address, at: place)
    try memory.store(length, at: place + 8)
    try memory.store(flags, at: place + 12)
    try memory.store(next, at: place + 14)
  }
}

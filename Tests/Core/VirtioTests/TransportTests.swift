import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

/// What holds under every transport.
@Suite(.serialized)
struct TransportTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let owner = FakeOwner()
  private let device = FakeDevice()

  private func driver(_ kind: TransportKind) -> any TransportDriver { kind.driver(device, memory, owner) }

  /// One that has set up a queue and started the device.
  private func running(_ kind: TransportKind, queue: UInt32 = 0) -> any TransportDriver {
    let driver = driver(kind)
    driver.negotiate()
    driver.setUp(queue: queue)
    driver.writeStatus(15)
    return driver
  }

  @Test(arguments: TransportKind.allCases)
  func featuresInWords(kind: TransportKind) {
    let driver = driver(kind)
    #expect(driver.offeredFeatures(0) == 1 << 28 | 1 << 29 | 1 << 5)
    #expect(driver.offeredFeatures(1) == 1)
    #expect(driver.offeredFeatures(2) == 0)
  }

  @Test(arguments: TransportKind.allCases)
  func negotiationToTheEnd(kind: TransportKind) {
    let driver = driver(kind)
    #expect(driver.readStatus() == 0)
    driver.negotiate()
    #expect(driver.readStatus() == 11)
    driver.setUp(queue: 0)
    driver.setUp(queue: 1, at: 0x8000)
    #expect(owner.events.isEmpty)
    driver.writeStatus(15)
    #expect(driver.readStatus() == 15)
    #expect(owner.events == ["started"])
    #expect(device.started == [true, true])
    #expect(device.agreed == [.version1, .eventIndex])
    driver.notify(queue: 1)
    #expect(owner.notifications == [1])
  }

  @Test(
    arguments: TransportKind.allCases,
    [
      [.eventIndex], [.version1, Features(rawValue: 1 << 6)], [.version1, Features(rawValue: 1 << 63)], [],
    ] as [Features])
  func refusedFeatures(kind: TransportKind, features: Features) {
    let driver = driver(kind)
    driver.negotiate(features)
    #expect(driver.readStatus() == 3)
    driver.writeStatus(15)
    #expect(driver.readStatus() == 3 && owner.events.isEmpty)
  }

  @Test(arguments: TransportKind.allCases)
  func featuresAreFixedOnceAgreed(kind: TransportKind) {
    let driver = driver(kind)
    driver.negotiate()
    driver.takeFeatures(0, 0)
    driver.setUp(queue: 0)
    driver.writeStatus(15)
    #expect(device.agreed == [.version1, .eventIndex])
  }

  @Test(arguments: TransportKind.allCases)
  func queueRegisters(kind: TransportKind) {
    let driver = driver(kind)
    driver.negotiate()
    #expect(driver.queueSize(0) == 8 && !driver.isReady(0))
    driver.setUp(queue: 1, size: 16)
    #expect(driver.queueSize(1) == 16 && driver.isReady(1))
    #expect(driver.queueSize(2) == 0 && !driver.isReady(2))
    #expect(driver.queueSize(0xffff) == 0)
    driver.setUp(queue: 77)  // No such queue: ignored.
    #expect(!driver.isReady(0))
  }

  @Test(arguments: TransportKind.allCases)
  func queueThatIsLeftOutIsNotLive(kind: TransportKind) {
    _ = running(kind, queue: 1)
    #expect(device.started == [false, true])
  }

  @Test(arguments: TransportKind.allCases)
  func liveQueueKeepsItsShape(kind: TransportKind) {
    let driver = running(kind)
    driver.setUp(queue: 0, size: 4, at: 0x9000)
    driver.setUp(queue: 1)
    #expect(driver.isReady(0) && driver.transport.queues[0].size == 8)
    #expect(driver.transport.queues[0].layout.descriptorTable == 0x1000)
    #expect(!driver.isReady(1))
  }

  @Test(
    arguments: TransportKind.allCases,
    [(16, 0x1000), (0, 0x1000), (3, 0x1000), (0xffff, 0x1000), (8, 0x1001), (8, 1 << 40), (8, .max - 15)]
      as [(UInt32, UInt64)])
  func badQueueNeedsAReset(kind: TransportKind, shape: (size: UInt32, base: UInt64)) {
    let driver = driver(kind)
    driver.negotiate()
    driver.setUp(queue: 0, size: shape.size, at: shape.base)
    driver.writeStatus(15)
    #expect(driver.readStatus() == 15 | 64)
    #expect(owner.events.isEmpty && device.started.isEmpty)
    #expect(driver.interruptCount == 1)
    // The driver can neither clear it nor go on, only reset.
    driver.writeStatus(15)
    #expect(driver.readStatus() == 15 | 64)
    driver.writeStatus(0)
    #expect(driver.readStatus() == 0 && owner.events.isEmpty)
    driver.negotiate()
    driver.setUp(queue: 0)
    driver.writeStatus(15)
    #expect(driver.readStatus() == 15 && owner.events == ["started"])
  }

  @Test(arguments: TransportKind.allCases)
  func needsReset(kind: TransportKind) {
    let driver = running(kind)
    driver.transport.needsReset()
    #expect(driver.readStatus() == 15 | 64)
    #expect(driver.interruptCount == 1)
    driver.writeStatus(0)
    #expect(driver.readStatus() == 0)
  }

  @Test(arguments: TransportKind.allCases)
  func driverCannotSetNeedsReset(kind: TransportKind) {
    let driver = driver(kind)
    driver.writeStatus(1 | 64)
    #expect(driver.readStatus() == 1)
  }

  @Test(arguments: TransportKind.allCases)
  func resetStopsThenForgets(kind: TransportKind) {
    let driver = running(kind)
    device.log = owner
    driver.writeStatus(0)
    #expect(owner.events == ["started", "stopped", "device reset"])
    #expect(!driver.transport.queues[0].isLive)
    #expect(!driver.isReady(0) && driver.transport.queues[0].size == 8)
    // Features must be agreed anew.
    driver.writeStatus(3)
    driver.writeStatus(11)
    #expect(driver.readStatus() == 3)
  }

  @Test(arguments: TransportKind.allCases)
  func configuration(kind: TransportKind) {
    let driver = driver(kind)
    #expect(driver.readConfiguration(0, width: 4) == 0x0403_0201)
    #expect(driver.readConfiguration(1, width: 2) == 0x0302)
    #expect(driver.readConfiguration(4, width: 1) == 5)
    #expect(driver.readConfiguration(2, width: 4) == 0)
    #expect(driver.readConfiguration(5, width: 1) == 0)
    let generation = driver.generation()
    driver.transport.configurationChanged()
    #expect(driver.generation() == generation + 1)
    driver.writeConfiguration(9, 1, width: 1)
    #expect(device.writes.isEmpty)  // No driver yet.
    driver.writeStatus(3)
    driver.writeConfiguration(9, 1, width: 1)
    driver.writeConfiguration(9, 5, width: 1)
    #expect(device.writes == [1])
  }

  /// A request goes through the rings that the driver named, and its end interrupts.
  @Test(arguments: TransportKind.allCases)
  func requestsPass(kind: TransportKind) throws {
    let driver = driver(kind)
    let rings = DriverQueue(memory, size: 16, base: 0x4000, features: [.version1])
    driver.negotiate([.version1])
    driver.setUp(queue: 1, size: 16, layout: rings.layout)
    driver.writeStatus(15)
    rings.offer([.readable(0x8000, 3), .writable(0x9000, 5)])
    driver.notify(queue: 1)
    var chain = DescriptorChain()
    let queue = driver.transport.queues[1]
    #expect(try queue.pop(&chain))
    #expect(chain.readableCount == 3 && chain.writableCount == 5)
    queue.push(chain, written: 5)
    queue.notifyDriver()
    #expect(driver.interruptCount == 1)
    #expect(rings.reap()?.written == 5)
  }
}

import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

struct MMIOTransportTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let line = InterruptCounter()
  private let owner = FakeOwner()
  private let device = FakeDevice()
  private let page: GuestSlice
  private let pages = FakeGuestMemory(size: Int(MMIOTransport.windowSize))
  private let transport: MMIOTransport

  init() throws {
    page = try pages.slice(at: 0, count: Int(MMIOTransport.windowSize))
    transport = MMIOTransport(device, memory: memory, line: line, owner: owner, shown: ShownRegisters(page))
  }

  /// What a register gives, which is also what is shown of it.
  private func read(_ offset: UInt64) -> UInt32 {
    let value = transport.read(offset: offset, width: 4)
    if offset & 3 == 0 { #expect(try! page.load(UInt32.self, at: Int(offset)) == value, "register \(offset)") }
    return value
  }
  private func write(_ value: UInt32, _ offset: UInt64) { transport.write(value, offset: offset, width: 4) }

  /// Steps 1 to 6 of 3.1.1.
  private func negotiate(_ features: Features = [.version1, .eventIndex]) {
    write(0, 0x70)
    write(1, 0x70)
    write(3, 0x70)
    write(0, 0x24)
    write(UInt32(truncatingIfNeeded: features.rawValue), 0x20)
    write(1, 0x24)
    write(UInt32(truncatingIfNeeded: features.rawValue >> 32), 0x20)
    write(11, 0x70)
  }

  private func setUp(queue: UInt32, size: UInt32 = 8, at base: UInt64 = 0x1000) {
    write(queue, 0x30)
    write(size, 0x38)
    for (register, address) in [(0x80, base), (0x90, base + 0x1000), (0xa0, base + 0x2000)] as [(UInt64, UInt64)] {
      write(UInt32(truncatingIfNeeded: address), register)
      write(UInt32(truncatingIfNeeded: address >> 32), register + 4)
    }
    write(1, 0x44)
  }

  @Test func identity() {
    #expect(read(0x00) == 0x7472_6976 && read(0x04) == 2 && read(0x08) == 42)
    #expect(read(0x70) == 0)
    #expect(read(0xb0) == .max && read(0xb4) == .max)  // No shared memory.
    #expect(read(0x7ff) == 0 && read(0xf0) == 0)
    #expect(transport.read(offset: 0, width: 1) == 0)
  }

  @Test func featuresInWords() {
    write(0, 0x14)
    #expect(read(0x10) == 1 << 28 | 1 << 29 | 1 << 5)
    write(1, 0x14)
    #expect(read(0x10) == 1)
    write(2, 0x14)
    #expect(read(0x10) == 0)
  }

  @Test func negotiationToTheEnd() {
    negotiate()
    #expect(read(0x70) == 11)
    setUp(queue: 0)
    setUp(queue: 1, at: 0x8000)
    #expect(owner.events.isEmpty)
    write(15, 0x70)
    #expect(read(0x70) == 15)
    #expect(owner.events == ["started"])
    #expect(device.started == [true, true])
    #expect(device.agreed == [.version1, .eventIndex])
    write(1, 0x50)
    #expect(owner.notifications == [1])
  }

  @Test(
    arguments: [
      [.eventIndex], [.version1, Features(rawValue: 1 << 6)], [.version1, Features(rawValue: 1 << 63)], [],
    ] as [Features])
  func refusedFeatures(features: Features) {
    negotiate(features)
    #expect(read(0x70) == 3)
    write(15, 0x70)
    #expect(read(0x70) == 3 && owner.events.isEmpty)
  }

  @Test func featuresAreFixedOnceAgreed() {
    negotiate()
    write(0, 0x24)
    write(0, 0x20)
    setUp(queue: 0)
    write(15, 0x70)
    #expect(device.agreed == [.version1, .eventIndex])
  }

  @Test func queueRegisters() {
    negotiate()
    write(0, 0x30)
    #expect(read(0x34) == 8 && read(0x44) == 0)
    setUp(queue: 1)
    #expect(read(0x34) == 16 && read(0x44) == 1)
    write(2, 0x30)
    #expect(read(0x34) == 0 && read(0x44) == 0)
    write(.max, 0x30)
    #expect(read(0x34) == 0)
    setUp(queue: 77)  // No such queue: ignored.
    write(0, 0x30)
    #expect(read(0x44) == 0)
  }

  @Test func queueThatIsLeftOutIsNotLive() {
    negotiate()
    setUp(queue: 1)
    write(15, 0x70)
    #expect(device.started == [false, true])
  }

  @Test func liveQueueKeepsItsShape() {
    negotiate()
    setUp(queue: 0)
    write(15, 0x70)
    write(0, 0x30)
    write(0, 0x44)
    write(4, 0x38)
    #expect(read(0x44) == 1 && transport.queues[0].size == 8)
  }

  @Test(
    arguments: [(16, 0x1000), (0, 0x1000), (3, 0x1000), (0xffff_ffff, 0x1000), (8, 0x1001), (8, 1 << 40)]
      as [(UInt32, UInt64)])
  func badQueueNeedsAReset(size: UInt32, base: UInt64) {
    negotiate()
    setUp(queue: 0, size: size, at: base)
    write(15, 0x70)
    #expect(read(0x70) == 15 | 64)
    #expect(owner.events.isEmpty && device.started.isEmpty)
    #expect(read(0x60) & 2 == 2 && line.count == 1)
    // The driver can neither clear it nor go on, only reset.
    write(15, 0x70)
    #expect(read(0x70) == 15 | 64)
    write(0, 0x70)
    #expect(read(0x70) == 0 && owner.events.isEmpty)
    negotiate()
    setUp(queue: 0)
    write(15, 0x70)
    #expect(read(0x70) == 15 && owner.events == ["started"])
  }

  @Test func needsReset() {
    negotiate()
    setUp(queue: 0)
    write(15, 0x70)
    transport.needsReset()
    #expect(read(0x70) == 15 | 64)
    #expect(line.count == 1 && read(0x60) == 2)
    write(0, 0x70)
    #expect(read(0x70) == 0 && read(0x60) == 0)
  }

  @Test func driverCannotSetNeedsReset() {
    write(1 | 64, 0x70)
    #expect(read(0x70) == 1)
  }

  @Test func resetStopsThenForgets() {
    negotiate()
    setUp(queue: 0)
    write(15, 0x70)
    device.log = owner
    write(0, 0x70)
    #expect(owner.events == ["started", "stopped", "device reset"])
    #expect(!transport.queues[0].isLive)
    write(0, 0x30)
    #expect(read(0x44) == 0 && transport.queues[0].size == 8)
    // Features must be agreed anew.
    write(3, 0x70)
    write(11, 0x70)
    #expect(read(0x70) == 3)
  }

  @Test func interruptStatus() {
    negotiate()
    setUp(queue: 0)
    write(15, 0x70)
    transport.interrupt.signal(queue: 0)
    #expect(read(0x60) == 1 && line.count == 1)
    transport.configurationChanged()
    #expect(read(0x60) == 3 && line.count == 2)
    write(1, 0x64)
    #expect(read(0x60) == 2)
    write(.max, 0x64)
    #expect(read(0x60) == 0)
  }

  @Test func everythingIsShown() {
    func check() {
      for offset in stride(from: 0, through: 0x100, by: 4) { _ = read(UInt64(offset)) }
      #expect((try? page.load(UInt8.self, at: 0x104)) == 5)
    }
    check()
    negotiate()
    check()
    setUp(queue: 1)
    write(1, 0x14)
    check()
    write(15, 0x70)
    transport.interrupt.signal(queue: 1)
    transport.configurationChanged()
    check()
    write(2, 0x64)
    transport.needsReset()
    check()
    write(0, 0x70)
    check()
  }

  @Test func withoutAPageNothingIsShown() {
    let plain = MMIOTransport(device, memory: memory, line: line, owner: owner)
    plain.write(1, offset: 0x70, width: 4)
    #expect(plain.read(offset: 0x70, width: 4) == 1 && read(0x70) == 0)
  }

  @Test func configuration() {
    #expect(transport.read(offset: 0x100, width: 4) == 0x0403_0201)
    #expect(transport.read(offset: 0x101, width: 2) == 0x0302)
    #expect(transport.read(offset: 0x104, width: 1) == 5)
    #expect(transport.read(offset: 0x102, width: 4) == 0)
    #expect(transport.read(offset: 0x105, width: 1) == 0)
    #expect(transport.read(offset: .max, width: 4) == 0)
    let generation = read(0xfc)
    transport.configurationChanged()
    #expect(read(0xfc) == generation + 1)
    transport.write(9, offset: 0x101, width: 1)
    #expect(device.writes.isEmpty)  // No driver yet.
    write(3, 0x70)
    transport.write(9, offset: 0x101, width: 1)
    transport.write(9, offset: 0x105, width: 1)
    transport.write(9, offset: .max, width: 1)
    #expect(device.writes == [1])
  }
}

private final class FakeDevice: VirtioDevice {
  let id: UInt32 = 42
  let features = Features(rawValue: 1 << 5)
  let queueSizes: [UInt16] = [8, 16]
  let configuration: [UInt8] = [1, 2, 3, 4, 5]
  var started: [Bool] = []
  var writes: [Int] = []
  var log: FakeOwner?
  private(set) var agreed: Features = []

  func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) { writes.append(offset) }
  func start(_ queues: [VirtQueue], features: Features) {
    started = queues.map(\.isLive)
    agreed = features
  }
  func process(_ queue: VirtQueue) throws(QueueFault) {}
  func reset() { log?.events.append("device reset") }
}

private final class FakeOwner: TransportOwner {
  var events: [String] = []
  var notifications: [UInt32] = []
  func withDevice(_ body: () -> Void) { body() }
  func started() { events.append("started") }
  func stopped() { events.append("stopped") }
  func notified(queue: UInt32) { notifications.append(queue) }
}

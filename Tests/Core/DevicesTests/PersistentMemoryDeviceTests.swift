import GuestMemory
import LittleEndian
import PCI
import Testing
import VirtioTesting

@testable import Devices
@testable import Virtio

struct PersistentMemoryDeviceTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let host = Host()
  private let device: PersistentMemoryDevice
  private let driver: DriverQueue

  private static let addresses: Range<UInt64> = 0x1_4000_0000..<0x1_4060_0000
  private static let flush = littleEndian(UInt32(0))

  init() {
    device = PersistentMemoryDevice(Self.addresses, backend: host)
    driver = DriverQueue(memory, size: device.queueSizes[0])
  }

  /// Offers a request, whose answer is found behind it.
  private func ask(_ request: [UInt8] = flush, at address: GuestAddress = 0x8_0000) throws {
    try memory.write(request + [7, 7, 7, 7], at: address)
    driver.offer([
      .readable(address, UInt32(request.count)), .writable(address + UInt64(request.count), 4),
    ])
  }

  private func answer(at address: GuestAddress = 0x8_0004) throws -> UInt32 { try memory.load(at: address) }

  @Test func flushes() throws {
    try ask()
    try device.process(driver.deviceSide)
    #expect(driver.reap()?.written == 4)
    #expect(try answer() == 0 && host.flushes == 1 && driver.interrupts.count == 1)
    try device.process(driver.deviceSide)
    #expect(host.flushes == 1 && driver.reap() == nil)
  }

  @Test func tellsOfErrors() throws {
    host.isKept = false
    try ask()
    try device.process(driver.deviceSide)
    #expect(try answer() != 0 && host.flushes == 1)
    host.isKept = true
    try ask()
    try device.process(driver.deviceSide)
    #expect(try answer() == 0 && host.flushes == 2)
  }

  /// One flush is for all who ask before it begins, and for nobody who asks afterwards.
  @Test func oneFlushIsForAll() throws {
    for place in 0..<5 { try ask(at: 0x8_0000 + 16 * UInt64(place)) }
    host.meanwhile = { [host] in
      host.meanwhile = nil
      #expect(driver.reap() == nil)
      try! ask(at: 0x9_0000)
    }
    try device.process(driver.deviceSide)
    #expect(host.flushes == 2)
    for place in 0..<5 {
      #expect(driver.reap()?.written == 4)
      #expect(try answer(at: 0x8_0004 + 16 * UInt64(place)) == 0)
    }
    #expect(driver.reap() != nil && driver.reap() == nil)
    #expect(try answer(at: 0x9_0004) == 0)
  }

  @Test func asksForNothingThatThereIs() throws {
    try ask(littleEndian(UInt32(1)))
    try device.process(driver.deviceSide)
    #expect(driver.reap()?.written == 4)
    #expect(try answer() != 0 && host.flushes == 0)
    // Beside one that is known.
    try ask(littleEndian(UInt32.max))
    try ask(at: 0x9_0000)
    try device.process(driver.deviceSide)
    #expect(try answer() != 0 && answer(at: 0x9_0004) == 0 && host.flushes == 1)
  }

  /// Split as one likes (2.7.4.3), and longer than need be.
  @Test func buffersOfAnyShape() throws {
    driver.offer([
      .readable(0x8_0000, 1), .readable(0x8_0100, 3), .readable(0x8_0200, 100), .writable(0x9_0000, 3),
      .writable(0x9_0100, 50),
    ])
    try memory.write([7, 7, 7, 7], at: 0x9_0000)
    try memory.write([7, 7, 7, 7], at: 0x9_0100)
    try device.process(driver.deviceSide)
    #expect(driver.reap()?.written == 4 && host.flushes == 1)
    #expect(try memory.read(count: 4, at: 0x9_0000) == [0, 0, 0, 7])
    #expect(try memory.read(count: 4, at: 0x9_0100) == [0, 7, 7, 7])
  }

  @Test(arguments: [
    [DriverBuffer.readable(0x8_0000, 4)], [.writable(0x8_0000, 4)], [.readable(0x8_0000, 3), .writable(0x9_0000, 4)],
    [.readable(0x8_0000, 4), .writable(0x9_0000, 3)], [.readable(0x8_0000, 4), .writable(0xffff_0000, 4)],
  ])
  func brokenRequestsAreFaults(_ buffers: [DriverBuffer]) throws {
    try ask(at: 0xa_0000)
    driver.offer(buffers)
    #expect(throws: QueueFault.self) { try device.process(driver.deviceSide) }
    #expect(host.flushes == 0)
    // What was taken before belongs to a driver that has gone.
    device.reset()
    let next = DriverQueue(memory, size: 8, base: 0x2_0000)
    try memory.write(Self.flush, at: 0x8_0000)
    next.offer([.readable(0x8_0000, 4), .writable(0x8_0004, 4)])
    try device.process(next.deviceSide)
    #expect(next.reap()?.written == 4 && next.reap() == nil && host.flushes == 1)
  }

  /// A driver that asks on and on does not keep the thread, or the memory, to itself.
  @Test func endlessRequestsAreBounded() throws {
    let notifier = Notifier()
    driver.deviceSide.notifier = notifier
    host.meanwhile = {
      while driver.reap() != nil {}
      for _ in 0..<8 { try! ask() }
    }
    for _ in 0..<8 { try ask() }
    try device.process(driver.deviceSide)
    #expect(notifier.count == 1 && host.flushes <= 4 * Int(device.queueSizes[0]))
  }

  /// Its addresses, as drivers read them by each transport.
  @Test(arguments: [false, true])
  func transports(onBus: Bool) {
    let owner = Owner()
    var words: [UInt32] = []
    let transport: Transport
    if onBus {
      let pci = PCITransport(device, memory: memory, address: 0xe000_0000, sink: owner, owner: owner)
      #expect(pci.readConfiguration(at: 0, width: 4) == 0x105b_1af4)
      words = (0..<4).map { UInt32(pci.read(region: 0, at: 0x100 + 4 * $0, width: 4)) }
      #expect(pci.sharedMemory == nil)
      transport = pci
    } else {
      let mmio = MMIOTransport(device, memory: memory, line: owner, owner: owner)
      #expect(mmio.read(offset: 8, width: 4) == 27)
      words = (0..<4).map { mmio.read(offset: 0x100 + 4 * $0, width: 4) }
      transport = mmio
    }
    #expect(words == [0x4000_0000, 1, 0x60_0000, 0])
    #expect(transport.queues.count == 1)
    // It can only be read.
    transport.writeDevice(0, at: 0, width: 4)
    #expect(device.configuration == littleEndian(UInt64(0x1_4000_0000)) + littleEndian(UInt64(0x60_0000)))
  }

  private final class Host: PersistentMemoryBackend {
    var isKept = true
    var flushes = 0
    /// What happens while it flushes.
    var meanwhile: (() -> Void)?

    func flush() -> Bool {
      flushes += 1
      meanwhile?()
      return isKept
    }
  }

  private final class Notifier: QueueNotifier {
    var count = 0
    func notified(queue: UInt32) { count += 1 }
  }

  private final class Owner: TransportOwner, MessageSink, InterruptLine {
    func withDevice(_ body: () -> Void) { body() }
    func started() {}
    func stopped() {}
    func notified(queue: UInt32) {}
    func send(_ message: InterruptMessage) {}
    func raise() {}
  }
}

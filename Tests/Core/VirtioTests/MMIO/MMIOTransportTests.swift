import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

struct MMIOTransportTests {
  private let memory = FakeGuestMemory(size: 1 << 20)
  private let owner = FakeOwner()
  private let device = FakeDevice()
  private let driver: MMIODriver

  init() { driver = MMIODriver(device, memory, owner) }

  private var transport: MMIOTransport { driver.mmio }
  private func read(_ offset: UInt64) -> UInt32 { driver.read(offset) }
  private func write(_ value: UInt32, _ offset: UInt64) { driver.write(value, offset) }

  @Test func identity() {
    #expect(read(0x00) == 0x7472_6976 && read(0x04) == 2 && read(0x08) == 42)
    #expect(read(0x70) == 0)
    #expect(read(0xb0) == .max && read(0xb4) == .max)  // No shared memory.
    #expect(read(0x7ff) == 0 && read(0xf0) == 0)
    #expect(transport.read(offset: 0, width: 1) == 0)
  }

  @Test func interruptStatus() {
    driver.negotiate()
    driver.setUp(queue: 0)
    write(15, 0x70)
    transport.interrupt.signal(queue: 0)
    #expect(read(0x60) == 1 && driver.line.count == 1)
    transport.configurationChanged()
    #expect(read(0x60) == 3 && driver.line.count == 2)
    write(1, 0x64)
    #expect(read(0x60) == 2)
    write(.max, 0x64)
    #expect(read(0x60) == 0)
  }

  @Test func everythingIsShown() {
    func check() {
      for offset in stride(from: 0, through: 0x100, by: 4) { _ = read(UInt64(offset)) }
      #expect((try? driver.page.load(UInt8.self, at: 0x104)) == 5)
    }
    check()
    driver.negotiate()
    check()
    driver.setUp(queue: 1)
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
    let plain = MMIOTransport(device, memory: memory, line: driver.line, owner: owner)
    plain.write(1, offset: 0x70, width: 4)
    #expect(plain.read(offset: 0x70, width: 4) == 1 && read(0x70) == 0)
  }

  @Test func configurationFarAway() {
    #expect(transport.read(offset: .max, width: 4) == 0)
    write(3, 0x70)
    transport.write(9, offset: .max, width: 1)
    #expect(device.writes.isEmpty)
  }
}

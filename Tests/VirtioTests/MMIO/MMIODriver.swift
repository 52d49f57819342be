import GuestMemory
import Testing
import VirtioTesting

@testable import Virtio

/// A driver of the registers of Virtio 1.2, table 4.1. Whatever it reads must be shown, too.
struct MMIODriver: TransportDriver {
  let mmio: MMIOTransport
  let line = InterruptCounter()
  let page: GuestSlice
  private let pages = FakeGuestMemory(size: Int(MMIOTransport.windowSize))

  init(_ device: any VirtioDevice, _ memory: GuestMemory, _ owner: any TransportOwner) {
    page = try! pages.slice(at: 0, count: Int(MMIOTransport.windowSize))
    mmio = MMIOTransport(device, memory: memory, line: line, owner: owner, shown: ShownRegisters(page))
  }

  var transport: Transport { mmio }
  var interruptCount: Int { line.count }

  /// What a register gives, which is also what is shown of it.
  func read(_ offset: UInt64) -> UInt32 {
    let value = mmio.read(offset: offset, width: 4)
    if offset & 3 == 0 { #expect(try! page.load(UInt32.self, at: Int(offset)) == value, "register \(offset)") }
    return value
  }

  func write(_ value: UInt32, _ offset: UInt64) { mmio.write(value, offset: offset, width: 4) }

  func readStatus() -> UInt32 { read(0x70) }
  func writeStatus(_ value: UInt32) { write(value, 0x70) }

  func offeredFeatures(_ word: UInt32) -> UInt32 {
    write(word, 0x14)
    return read(0x10)
  }

  func takeFeatures(_ word: UInt32, _ value: UInt32) {
    write(word, 0x24)
    write(value, 0x20)
  }

  func queueSize(_ queue: UInt32) -> UInt32 {
    write(queue, 0x30)
    return read(0x34)
  }

  func isReady(_ queue: UInt32) -> Bool {
    write(queue, 0x30)
    return read(0x44) == 1
  }

  func setUp(queue: UInt32, size: UInt32, layout: SplitQueue.Layout) {
    write(queue, 0x30)
    write(size, 0x38)
    for (register, address) in [
      (0x80, layout.descriptorTable), (0x90, layout.availableRing), (0xa0, layout.usedRing),
    ] as [(UInt64, UInt64)] {
      write(UInt32(truncatingIfNeeded: address), register)
      write(UInt32(truncatingIfNeeded: address >> 32), register + 4)
    }
    write(1, 0x44)
  }

  func notify(queue: UInt32) { write(queue, 0x50) }
  func generation() -> UInt32 { read(0xfc) }

  func readConfiguration(_ offset: UInt64, width: Int) -> UInt32 {
    mmio.read(offset: 0x100 &+ offset, width: width)
  }

  func writeConfiguration(_ value: UInt32, _ offset: UInt64, width: Int) {
    mmio.write(value, offset: 0x100 &+ offset, width: width)
  }
}

package import GuestMemory
import Testing
package import Virtio

/// A driver of the registers of Virtio 1.2, table 4.1. Whatever it reads must be shown, too.
package struct MMIODriver: TransportDriver {
  package let mmio: MMIOTransport
  package let line = InterruptCounter()
  package let page: GuestSlice
  private let pages = FakeGuestMemory(size: Int(MMIOTransport.windowSize))

  package init(_ device: any VirtioDevice, _ memory: GuestMemory, _ owner: any TransportOwner) {
    page = try! pages.slice(at: 0, count: Int(MMIOTransport.windowSize))
    mmio = MMIOTransport(device, memory: memory, line: line, owner: owner, shown: ShownRegisters(page))
  }

  package var transport: Transport { mmio }
  package var interruptCount: Int { line.count }

  /// What a register gives, which is also what is shown of it.
  package func read(_ offset: UInt64) -> UInt32 {
    let value = mmio.read(offset: offset, width: 4)
    if offset & 3 == 0, (try? page.load(UInt32.self, at: Int(offset))) != value {
      Issue.record("register \(offset) does not show \(value)")
    }
    return value
  }

  package func write(_ value: UInt32, _ offset: UInt64) { mmio.write(value, offset: offset, width: 4) }

  package func readStatus() -> UInt32 { read(0x70) }
  package func writeStatus(_ value: UInt32) { write(value, 0x70) }

  package func offeredFeatures(_ word: UInt32) -> UInt32 {
    write(word, 0x14)
    return read(0x10)
  }

  package func takeFeatures(_ word: UInt32, _ value: UInt32) {
    write(word, 0x24)
    write(value, 0x20)
  }

  package func queueSize(_ queue: UInt32) -> UInt32 {
    write(queue, 0x30)
    return read(0x34)
  }

  package func isReady(_ queue: UInt32) -> Bool {
    write(queue, 0x30)
    return read(0x44) == 1
  }

  package func setUp(queue: UInt32, size: UInt32, layout: SplitQueue.Layout) {
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

  package func notify(queue: UInt32) { write(queue, 0x50) }
  package func generation() -> UInt32 { read(0xfc) }

  package func readConfiguration(_ offset: UInt64, width: Int) -> UInt32 {
    mmio.read(offset: 0x100 &+ offset, width: width)
  }

  package func writeConfiguration(_ value: UInt32, _ offset: UInt64, width: Int) {
    mmio.write(value, offset: 0x100 &+ offset, width: width)
  }

  package var reach: UInt64 { MMIOTransport.windowSize }

  package func read(anywhere offset: UInt64, width: Int) -> UInt64 { UInt64(mmio.read(offset: offset, width: width)) }

  package func write(_ value: UInt64, anywhere offset: UInt64, width: Int) {
    mmio.write(UInt32(truncatingIfNeeded: value), offset: offset, width: width)
  }
}

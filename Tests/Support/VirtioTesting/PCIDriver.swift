package import GuestMemory
package import PCI
import Testing
package import Virtio

/// A driver that finds its structures by the capabilities (Virtio 1.2, 4.1.4), and gives every queue a vector.
package final class PCIDriver: TransportDriver {
  /// A structure that a capability points to.
  package struct Structure: Equatable {
    package var capability: Int
    package var region: Int
    package var offset: UInt64
    package var length: UInt64
  }

  package let pci: PCITransport
  package let sink = SentMessages()
  package private(set) var structures: [Int: Structure] = [:]
  package private(set) var multiplier: UInt64 = 0
  package private(set) var messages = 0

  package init(_ device: any VirtioDevice, _ memory: GuestMemory, _ owner: any TransportOwner) {
    pci = PCITransport(device, memory: memory, address: 0xe000_0000, sink: sink, owner: owner)
    var place = Int(pci.readConfiguration(at: 0x34, width: 1))
    for _ in 0..<48 where place != 0 {
      switch pci.readConfiguration(at: place, width: 1) {
      case 0x11: messages = place
      case 0x09: note(place)
      case let id: Issue.record("a capability \(id)")
      }
      place = Int(pci.readConfiguration(at: place + 1, width: 1))
    }
    pci.writeConfiguration(6, at: 4, width: 2)
    enableMessages()
  }

  private func note(_ place: Int) {
    let kind = Int(pci.readConfiguration(at: place + 3, width: 1))
    structures[kind] = Structure(
      capability: place, region: Int(pci.readConfiguration(at: place + 4, width: 1)),
      offset: UInt64(pci.readConfiguration(at: place + 8, width: 4)),
      length: UInt64(pci.readConfiguration(at: place + 12, width: 4)))
    if kind == 2 { multiplier = UInt64(pci.readConfiguration(at: place + 16, width: 4)) }
  }

  /// Writes a message for each vector, of the vector's number.
  package func enableMessages() {
    pci.writeConfiguration(0x8000, at: messages + 2, width: 2)
    let table = UInt64(pci.readConfiguration(at: messages + 4, width: 4))
    for vector in 0...(UInt64(pci.readConfiguration(at: messages + 2, width: 2)) & 0x7ff) {
      for (field, value) in [0xfee0_0000, 0, vector, 0].enumerated() {
        pci.write(value, region: Int(table & 7), at: table & ~7 + 16 * vector + 4 * UInt64(field), width: 4)
      }
    }
  }

  package var transport: Transport { pci }
  package var interruptCount: Int { sink.messages.count }

  package func common(_ offset: UInt64, width: Int) -> UInt32 {
    let place = structures[1]!
    return UInt32(pci.read(region: place.region, at: place.offset + offset, width: width))
  }

  package func setCommon(_ value: UInt32, _ offset: UInt64, width: Int) {
    let place = structures[1]!
    pci.write(UInt64(value), region: place.region, at: place.offset + offset, width: width)
  }

  package func readStatus() -> UInt32 { common(20, width: 1) }

  package func writeStatus(_ value: UInt32) {
    setCommon(value, 20, width: 1)
    if value == 0 { setCommon(0, 16, width: 2) }
  }

  package func offeredFeatures(_ word: UInt32) -> UInt32 {
    setCommon(word, 0, width: 4)
    return common(4, width: 4)
  }

  package func takeFeatures(_ word: UInt32, _ value: UInt32) {
    setCommon(word, 8, width: 4)
    setCommon(value, 12, width: 4)
  }

  package func select(_ queue: UInt32) { setCommon(queue, 22, width: 2) }

  package func queueSize(_ queue: UInt32) -> UInt32 {
    select(queue)
    return common(24, width: 2)
  }

  package func isReady(_ queue: UInt32) -> Bool {
    select(queue)
    return common(28, width: 2) == 1
  }

  package func setUp(queue: UInt32, size: UInt32, layout: SplitQueue.Layout) {
    select(queue)
    setCommon(size, 24, width: 2)
    setCommon(queue + 1, 26, width: 2)
    for (register, address) in [
      (32, layout.descriptorTable), (40, layout.availableRing), (48, layout.usedRing),
    ] as [(UInt64, UInt64)] {
      let place = structures[1]!
      pci.write(address, region: place.region, at: place.offset + register, width: 8)
    }
    setCommon(1, 28, width: 2)
  }

  package func notify(queue: UInt32) {
    select(queue)
    let place = structures[2]!
    let offset = UInt64(common(30, width: 2)) * multiplier
    if offset + 2 > place.length || place.offset + offset != PCITransport.notifyOffset(queue: Int(queue)) {
      Issue.record("queue \(queue) is notified at \(offset)")
    }
    pci.write(UInt64(queue), region: place.region, at: place.offset + offset, width: 2)
  }

  package func generation() -> UInt32 { common(21, width: 1) }

  package func readConfiguration(_ offset: UInt64, width: Int) -> UInt32 {
    let place = structures[4]!
    return UInt32(pci.read(region: place.region, at: place.offset &+ offset, width: width))
  }

  package func writeConfiguration(_ value: UInt32, _ offset: UInt64, width: Int) {
    let place = structures[4]!
    pci.write(UInt64(value), region: place.region, at: place.offset &+ offset, width: width)
  }

  /// The registers, then the configuration space.
  package var reach: UInt64 { PCITransport.registers.size + 4096 }

  package func read(anywhere offset: UInt64, width: Int) -> UInt64 {
    guard let place = place(offset) else { return pci.read(region: 0, at: offset, width: width) }
    return UInt64(pci.readConfiguration(at: place, width: min(width, 4)))
  }

  package func write(_ value: UInt64, anywhere offset: UInt64, width: Int) {
    guard let place = place(offset) else { return pci.write(value, region: 0, at: offset, width: width) }
    pci.writeConfiguration(UInt32(truncatingIfNeeded: value), at: place, width: min(width, 4))
  }

  private func place(_ offset: UInt64) -> Int? {
    offset < PCITransport.registers.size ? nil : Int(offset - PCITransport.registers.size)
  }
}

/// Keeps what was sent.
package final class SentMessages: MessageSink {
  package init() {}
  package private(set) var messages: [InterruptMessage] = []
  package func send(_ message: InterruptMessage) { messages.append(message) }
}

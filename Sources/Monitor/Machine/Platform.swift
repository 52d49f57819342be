import Boot
import Virtio

/// Where things are in every machine. The guest learns it from ACPI; nothing outside this file repeats it.
enum Platform {
  /// Windows of virtio devices, one after the other, in the hole below 4 GiB.
  static let virtioBase: UInt64 = 0xd000_0000

  /// The byte to which a panicking guest writes.
  static let panicRegister: UInt64 = 0xd010_0000

  /// Power off, status and reset: one byte each.
  static let powerPorts: UInt16 = 0x600

  static let com1 = SerialPlace(number: 1, port: 0x3f8, interrupt: 4, device: .com1)
  static let com2 = SerialPlace(number: 2, port: 0x2f8, interrupt: 3, device: .com2)

  struct SerialPlace {
    let number: UInt32
    let port: UInt16
    let interrupt: UInt32
    let device: ACPIDevice
  }

  /// Tells the guest that it is another machine than the one that it was.
  static let generationInterrupt: UInt32 = 1
  static let powerButtonInterrupt: UInt32 = 5

  /// Inputs of the I/O APIC from here to 23 are for virtio devices, one each.
  static let firstVirtioInterrupt: UInt32 = 6
  static let lastInterrupt: UInt32 = 23

  /// The configuration of the PCI bus.
  static let busConfiguration: UInt64 = 0xd020_0000

  /// Where registers of the PCI bus's functions can be.
  static let busWindow: Range<UInt64> = 0xe000_0000..<0xf000_0000

  /// Behind all RAM and the hole.
  static func end(of map: MemoryMap) -> UInt64 {
    max(MemoryMap.mmioHole.upperBound, map.ram[map.ram.count - 1].upperBound)
  }

  /// Where what lies behind RAM begins, the DAX window and each piece of persistent memory: at a multiple of `alignment`, so
  /// that the guest's kernel maps it by large pages.
  static func place(_ end: UInt64, alignment: UInt64 = 1 << 30) -> UInt64 { (end + alignment - 1) & ~(alignment - 1) }

  /// How many virtio devices have a window.
  static let virtioPlaces = Int(lastInterrupt - firstVirtioInterrupt) + 1

  static func virtioInterrupt(_ place: Int) -> UInt32 { firstVirtioInterrupt + UInt32(place) }

  static func virtioWindow(_ index: Int) -> UInt64 { virtioBase + UInt64(index) * MMIOTransport.windowSize }

  static let power = PowerRegisters(
    sleepControl: .port(powerPorts), sleepStatus: .port(powerPorts + 1), reset: .port(powerPorts + 2))
}

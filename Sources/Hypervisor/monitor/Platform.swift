import Boot
import Virtio

/// Where things are in a machine, as novm's have them. The guest learns it from ACPI.
enum Platform {
  private static let virtioBase: UInt64 = 0xd000_0000
  /// Inputs of the I/O APIC from here on are for virtio devices, one each.
  static let firstVirtioInterrupt = 6
  /// Power off, status and reset.
  static let powerPort: UInt16 = 0x600

  static func virtioWindow(_ index: Int) -> UInt64 { virtioBase + UInt64(index) * MMIOTransport.windowSize }

  /// What the guest's firmware tells.
  static func acpi(processors: Int, slots: [VirtioSlot]) -> ACPIPlatform {
    ACPIPlatform(
      apicIDs: (0..<UInt32(processors)).map { $0 },
      power: PowerRegisters(at: .port(powerPort)),
      devices: slots.enumerated().map { index, slot in
        .virtioMMIO(
          index: UInt8(index), base: UInt32(slot.base), size: UInt32(MMIOTransport.windowSize),
          interrupt: UInt32(slot.input))
      })
  }
}

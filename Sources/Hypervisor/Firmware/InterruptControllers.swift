/// The MADT (ACPI 6.5, 5.2.12): processors, I/O APICs, and where ISA's interrupts lead.
package enum InterruptControllers {
  package enum Entry: Equatable {
    /// A processor that is enabled, or may be brought online.
    case processor(apic: UInt32, uid: UInt32, enabled: Bool)
    case input(id: UInt8, address: UInt32, base: UInt32)
    /// ISA interrupt `source` is GSI `gsi`; flags of 5.2.12.5: polarity in 1:0, trigger mode in 3:2.
    case override(source: UInt8, gsi: UInt32, flags: UInt16)
  }

  /// The local APICs' address.
  package static func localAddress(_ table: Table, _ memory: some PhysicalMemory) -> UInt32 {
    table.field(at: 36, memory) ?? 0xfee0_0000
  }

  package static func forEach(_ table: Table, _ memory: some PhysicalMemory, _ body: (Entry) -> Void) {
    var place: UInt64 = 44
    while let type = table.field(UInt8.self, at: place, memory),
      let size = table.field(UInt8.self, at: place + 1, memory), size >= 2
    {
      if place + UInt64(size) <= UInt64(table.length), let entry = entry(table, place, type, size, memory) {
        body(entry)
      }
      place += UInt64(size)
    }
  }

  private static func entry(
    _ table: Table, _ place: UInt64, _ type: UInt8, _ size: UInt8, _ memory: some PhysicalMemory
  ) -> Entry? {
    switch type {
    case 0 where size >= 8:
      guard let uid = table.field(UInt8.self, at: place + 2, memory),
        let apic = table.field(UInt8.self, at: place + 3, memory),
        let flags = table.field(UInt32.self, at: place + 4, memory)
      else { return nil }
      return .processor(apic: UInt32(apic), uid: UInt32(uid), enabled: flags & 1 != 0)
    case 1 where size >= 12:
      guard let id = table.field(UInt8.self, at: place + 2, memory),
        let address = table.field(UInt32.self, at: place + 4, memory),
        let base = table.field(UInt32.self, at: place + 8, memory)
      else { return nil }
      return .input(id: id, address: address, base: base)
    case 2 where size >= 10:
      guard let source = table.field(UInt8.self, at: place + 3, memory),
        let gsi = table.field(UInt32.self, at: place + 4, memory),
        let flags = table.field(UInt16.self, at: place + 8, memory)
      else { return nil }
      return .override(source: source, gsi: gsi, flags: flags)
    case 9 where size >= 16:
      guard let apic = table.field(UInt32.self, at: place + 4, memory),
        let flags = table.field(UInt32.self, at: place + 8, memory),
        let uid = table.field(UInt32.self, at: place + 12, memory)
      else { return nil }
      return .processor(apic: apic, uid: uid, enabled: flags & 1 != 0)
    default: return nil
    }
  }
}

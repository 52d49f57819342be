/// The RSDP (ACPI 6.5, 5.2.5): where the tables' list is.
package struct RootPointer: Equatable {
  /// The RSDT, with addresses of 32 bits.
  package let table: UInt64
  /// The XSDT, with addresses of 64 bits; ACPI 2 and later.
  package let extended: UInt64?

  package init?(_ memory: some PhysicalMemory, at address: UInt64) {
    guard memory.holds("RSD PTR ", at: address), memory.sum(at: address, count: 20) == 0,
      let revision = memory.byte(at: address &+ 15), let table = memory.field(UInt32.self, at: address &+ 16)
    else { return nil }
    self.table = UInt64(table)
    if revision >= 2, memory.sum(at: address, count: 36) == 0 {
      extended = memory.field(UInt64.self, at: address &+ 24).flatMap { $0 == 0 ? nil : $0 }
    } else {
      extended = nil
    }
  }

  /// Looks where a PC's firmware has it: in the first KiB of the extended BIOS data area, and in 0xe0000-0xfffff.
  package static func search(_ memory: some PhysicalMemory) -> RootPointer? {
    if let segment = memory.field(UInt16.self, at: 0x40e), segment != 0,
      let found = search(memory, from: UInt64(segment) << 4, count: 1024)
    {
      return found
    }
    return search(memory, from: 0xe0000, count: 0x20000)
  }

  private static func search(_ memory: some PhysicalMemory, from start: UInt64, count: UInt64) -> RootPointer? {
    for address in stride(from: start, to: start + count, by: 16) {
      if let root = RootPointer(memory, at: address) { return root }
    }
    return nil
  }

  /// The table of `signature` (the first), looked for in the XSDT, else in the RSDT.
  package func find(_ signature: StaticString, _ memory: some PhysicalMemory) -> Table? {
    if let extended, let list = Table(memory, at: extended), list.has("XSDT", memory) {
      return find(signature, memory, in: list, entry: 8)
    }
    guard let list = Table(memory, at: table), list.has("RSDT", memory) else { return nil }
    return find(signature, memory, in: list, entry: 4)
  }

  private func find(_ signature: StaticString, _ memory: some PhysicalMemory, in list: Table, entry: UInt64) -> Table? {
    var place = list.address + Table.headerSize
    while place + entry <= list.end {
      let address =
        entry == 8 ? memory.field(UInt64.self, at: place) : memory.field(UInt32.self, at: place).map(UInt64.init)
      if let address, memory.holds(signature, at: address), let table = Table(memory, at: address) { return table }
      place += entry
    }
    return nil
  }
}

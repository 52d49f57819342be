/// The MCFG (PCI Firmware 3.2, 4.1.2): where functions' configuration pages are.
package struct ConfigurationSpace: Equatable {
  package let address: UInt64
  package let segment: UInt16
  package let firstBus: UInt8
  package let lastBus: UInt8

  package static func forEach(_ table: Table, _ memory: some PhysicalMemory, _ body: (ConfigurationSpace) -> Void) {
    var place: UInt64 = 44
    while let address = table.field(UInt64.self, at: place, memory),
      let segment = table.field(UInt16.self, at: place + 8, memory),
      let first = table.field(UInt8.self, at: place + 10, memory),
      let last = table.field(UInt8.self, at: place + 11, memory)
    {
      if first <= last, address < 1 << 52 {
        body(ConfigurationSpace(address: address, segment: segment, firstBus: first, lastBus: last))
      }
      place += 16
    }
  }

  /// The requester id of the function whose configuration page is at `page`.
  package func requester(of page: UInt64) -> UInt16? {
    let size = (UInt64(lastBus - firstBus) + 1) << 20
    guard page >= address, page - address < size else { return nil }
    return UInt16(truncatingIfNeeded: (page - address) >> 12) &+ UInt16(firstBus) << 8
  }
}

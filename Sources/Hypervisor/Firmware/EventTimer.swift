/// The HPET's table (IA-PC HPET 1.0a, 3.2.4).
package enum EventTimer {
  /// Where its registers are, if they are in memory.
  package static func address(_ table: Table, _ memory: some PhysicalMemory) -> UInt64? {
    guard table.field(UInt8.self, at: 40, memory) == 0, let address = table.field(UInt64.self, at: 44, memory),
      address != 0, address < 1 << 52
    else { return nil }
    return address
  }
}

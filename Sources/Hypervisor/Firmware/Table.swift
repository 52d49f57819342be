/// A system description table whose length and checksum hold (ACPI 6.5, 5.2.6).
package struct Table: Equatable {
  package static let headerSize: UInt64 = 36
  package let address: UInt64
  package let length: UInt32
  package var end: UInt64 { address + UInt64(length) }

  /// Nil where it is shorter than its header, longer than a MiB, beyond memory, or its bytes do not sum up to 0.
  package init?(_ memory: some PhysicalMemory, at address: UInt64) {
    guard address != 0, address < 1 << 52, let length = memory.field(UInt32.self, at: address &+ 4),
      length >= Table.headerSize, length <= 1 << 20, memory.sum(at: address, count: Int(length)) == 0
    else { return nil }
    self.address = address
    self.length = length
  }

  package func has(_ signature: StaticString, _ memory: some PhysicalMemory) -> Bool {
    memory.holds(signature, at: address)
  }

  /// The field at `offset`, or nil where it is not within the table.
  package func field<T: FixedWidthInteger & UnsignedInteger>(
    _: T.Type = T.self, at offset: UInt64, _ memory: some PhysicalMemory
  ) -> T? {
    guard offset + UInt64(T.bitWidth / 8) <= UInt64(length) else { return nil }
    return memory.field(T.self, at: address + offset)
  }
}

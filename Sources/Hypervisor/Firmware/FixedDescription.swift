/// The FADT (ACPI 6.5, 5.2.9), as far as the kernel asks: the power-management timer.
package struct FixedDescription: Equatable {
  /// The port of the timer of 3.579545 MHz.
  package let timerPort: UInt16
  /// Whether it counts 32 bits, not 24.
  package let timerIsWide: Bool
  package static let timerFrequency: UInt64 = 3_579_545

  package init?(_ table: Table, _ memory: some PhysicalMemory) {
    guard let port = table.field(UInt32.self, at: 76, memory), port != 0, port <= 0xffff,
      let flags = table.field(UInt32.self, at: 112, memory)
    else { return nil }
    timerPort = UInt16(port)
    timerIsWide = flags & 1 << 8 != 0
  }
}

/// Guest RAM and what the guest is told of it.
///
///     0 ..< 640 KiB             RAM: boot data first (`LowMemory`), later the start-up code of further processors
///     640 KiB ..< 896 KiB       not RAM to the guest, as on every PC
///     896 KiB ..< 1016 KiB      ACPI tables, where kernels too old to be told also look for them (ACPI 6.5, 5.2.5.1)
///     1016 KiB ..< 1020 KiB     the generation ID (`ACPIDevice.generation`)
///     1020 KiB ..< 1 MiB        the reset vector (`ResetVector`)
///     1 MiB ..< 3 GiB           RAM
///     3 GiB ..< 4 GiB           the MMIO hole: devices, IO-APIC, local APICs, KVM's own pages
///     4 GiB ...                 the RAM that the hole displaced, and all beyond
package struct MemoryMap {
  package static let mmioHole: Range<UInt64> = 0xc000_0000..<0x1_0000_0000
  package static let maximumSize: UInt64 = 256 << 30
  package static let minimumSize: UInt64 = 1 << 20
  package static let pageSize: UInt64 = 4096

  /// Bytes of RAM.
  package let size: UInt64
  /// What to back with memory: one range, or two around the hole. Page-aligned.
  package let ram: [Range<UInt64>]
  /// What the guest is told, in order of address.
  package private(set) var entries: [Entry]

  /// An E820 entry; the numbers are those of ACPI 6.5, table 15.3.
  package struct Entry: Equatable {
    package var range: Range<UInt64>
    package var kind: Kind

    package init(_ range: Range<UInt64>, _ kind: Kind) {
      self.range = range
      self.kind = kind
    }
  }

  package enum Kind: UInt32 {
    case ram = 1
    case reserved = 2
    /// RAM again once the guest has read its ACPI tables.
    case acpiTables = 3
  }

  /// For `size` bytes of RAM, a whole number of pages.
  package init(size: UInt64) throws(BootError) {
    guard size >= Self.minimumSize, size % Self.pageSize == 0 else { throw .badMemorySize(size) }
    guard size <= Self.maximumSize else { throw .memoryTooLarge(size: size, limit: Self.maximumSize) }
    self.size = size
    let low = 0..<min(size, Self.mmioHole.lowerBound)
    var ram = [low]
    if size > low.upperBound {
      ram.append(Self.mmioHole.upperBound..<(Self.mmioHole.upperBound + (size - low.upperBound)))
    }
    self.ram = ram

    entries = [
      Entry(0..<LowMemory.end, .ram),
      Entry(LowMemory.acpiTables, .acpiTables),
      Entry(LowMemory.reserved, .reserved),
    ]
    if low.upperBound > LowMemory.firstMiB { entries.append(Entry(LowMemory.firstMiB..<low.upperBound, .ram)) }
    for high in ram.dropFirst() { entries.append(Entry(high, .ram)) }
  }

  /// RAM below the hole, where all that the loader places must lie.
  package var low: Range<UInt64> { ram[0] }

  /// Tells the guest to leave `range` alone. The range may not be RAM: it lies in the hole or beyond all RAM.
  package mutating func reserve(_ range: Range<UInt64>) throws(BootError) {
    for entry in entries where entry.range.overlaps(range) { throw .cannotWrite(address: range.lowerBound) }
    let index = entries.firstIndex { $0.range.lowerBound >= range.upperBound } ?? entries.count
    entries.insert(Entry(range, .reserved), at: index)
  }
}

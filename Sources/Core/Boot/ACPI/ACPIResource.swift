import LittleEndian

/// What a device occupies, as its `_CRS` states it (ACPI 6.5, 6.4).
package enum ACPIResource: Equatable {
  /// Registers in memory, below 4 GiB.
  case memory(base: UInt32, size: UInt32)
  /// I/O ports, all 16 address bits decoded.
  case ports(base: UInt16, count: UInt8)
  /// An edge-triggered, active-high interrupt of the device's own.
  case interrupt(UInt32)
  /// Bus 0, and none below.
  case bus
  /// Memory below 4 GiB that a bridge passes on.
  case window(Range<UInt32>)
  /// Memory anywhere that a bridge passes on, and may fetch ahead.
  case prefetchableWindow(Range<UInt64>)

  func append(to template: inout [UInt8]) {
    switch self {
    case .memory(let base, let size):  // 32-bit fixed memory range, 6.4.3.4
      template.append(contentsOf: [0x86, 9, 0, 1])
      template.append(field: base)
      template.append(field: size)
    case .ports(let base, let count):  // I/O port descriptor, 6.4.2.5
      template.append(contentsOf: [0x47, 1])
      template.append(field: base)
      template.append(field: base)
      template.append(contentsOf: [1, count])
    case .interrupt(let number):  // extended interrupt descriptor, 6.4.3.6: consumer, edge, active high, exclusive
      template.append(contentsOf: [0x89, 6, 0, 0b0011, 1])
      template.append(field: number)
    case .bus:  // word address space descriptor, 6.4.3.5.3: bus numbers
      template.append(contentsOf: [0x88, 13, 0, 2, Self.isFixed, 0])
      for value: UInt16 in [0, 0, 0, 0, 1] { template.append(field: value) }
    case .window(let range):  // double word address space descriptor, 6.4.3.5.2: memory, writable, not cacheable
      template.append(contentsOf: [0x87, 23, 0, 0, Self.isFixed, 0b001])
      for value in [0, range.lowerBound, range.upperBound - 1, 0, UInt32(range.count)] {
        template.append(field: value)
      }
    case .prefetchableWindow(let range):  // quad word address space descriptor, 6.4.3.5.1
      template.append(contentsOf: [0x8a, 43, 0, 0, Self.isFixed, 0b111])
      for value in [0, range.lowerBound, range.upperBound - 1, 0, UInt64(range.count)] {
        template.append(field: value)
      }
    }
  }

  /// Least and greatest address do not change (6.4.3.5, _MIF and _MAF). Each value is followed by a granularity, least,
  /// greatest, translation and length.
  private static let isFixed: UInt8 = 0b1100
}

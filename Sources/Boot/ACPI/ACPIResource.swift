/// What a device occupies, as its `_CRS` states it (ACPI 6.5, 6.4).
package enum ACPIResource: Equatable {
  /// Registers in memory, below 4 GiB.
  case memory(base: UInt32, size: UInt32)
  /// I/O ports, all 16 address bits decoded.
  case ports(base: UInt16, count: UInt8)
  /// An edge-triggered, active-high interrupt of the device's own: what an irqfd raises.
  case interrupt(UInt32)

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
    }
  }
}

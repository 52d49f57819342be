/// A region of memory that a function answers for, where software puts it (PCI Local Bus 3.0, 6.2.5.1).
package struct BaseAddress: Equatable {
  /// Which of the six registers; a 64-bit address takes the next one, too.
  package let index: Int
  /// Bytes: a power of two, at least 16, and less than 4 GiB unless the address has 64 bits.
  package let size: UInt64
  /// Memory without side effects may lie beyond 4 GiB, where bridges fetch ahead.
  package let is64Bit: Bool

  package init(index: Int, size: UInt64, is64Bit: Bool = false) {
    self.index = index
    self.size = size
    self.is64Bit = is64Bit
  }

  /// The low four bits of the register: memory; a 64-bit address, prefetchable.
  var kind: UInt32 { is64Bit ? 0b1100 : 0 }
}

package import GuestMemory

/// How a processor translates linear addresses: the registers that say so.
package struct Translation: Equatable {
  package var cr0: UInt64
  package var cr3: UInt64
  package var cr4: UInt64
  package var efer: UInt64

  package init(cr0: UInt64, cr3: UInt64, cr4: UInt64, efer: UInt64) {
    self.cr0 = cr0
    self.cr3 = cr3
    self.cr4 = cr4
    self.efer = efer
  }

  /// The guest-physical address, by the tables that the guest has now; nil where there is none, or in paging of 32 bits, in
  /// which no kernel accesses devices here.
  package func physical(_ linear: UInt64, _ memory: GuestMemory) -> UInt64? {
    guard cr0 & 1 << 31 != 0 else { return linear & 0xffff_ffff }
    guard efer & 1 << 10 != 0 else { return nil }
    var table = cr3 & Self.addressBits
    var shift: UInt64 = cr4 & 1 << 12 != 0 ? 48 : 39
    while true {
      guard let entry = try? memory.load(UInt64.self, at: table + (linear >> shift & 511) * 8), entry & 1 != 0 else {
        return nil
      }
      // A page of 1 GiB, 2 MiB or 4 KiB.
      if shift == 12 || (shift <= 30 && entry & 1 << 7 != 0) {
        let inside: UInt64 = (1 << shift) - 1
        return entry & Self.addressBits & ~inside | linear & inside
      }
      table = entry & Self.addressBits
      shift -= 9
    }
  }

  /// As many bytes as there are of an instruction, at most 15.
  package func instruction(at linear: UInt64, _ memory: GuestMemory) -> (bytes: InlineArray<15, UInt8>, count: Int) {
    var bytes = InlineArray<15, UInt8>(repeating: 0)
    var page: UInt64?
    for index in 0..<Instruction.limit {
      let address = linear &+ UInt64(index)
      if page == nil || address & 0xfff == 0 { page = physical(address & ~0xfff, memory) }
      guard let page, let byte = try? memory.load(UInt8.self, at: page + (address & 0xfff)) else {
        return (bytes, index)
      }
      bytes[index] = byte
    }
    return (bytes, Instruction.limit)
  }

  private static let addressBits: UInt64 = 0x000f_ffff_ffff_f000
}

import CKVM
import LittleEndian
import State

extension CPUID {
  /// Leaf, subleaf, flags, EAX, EBX, ECX, EDX.
  private static let entrySize = 28
  static let encodedLimit = Int(CKVM_CPUID_CAPACITY) * entrySize

  var encoded: [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries {
      for word in [entry.function, entry.index, entry.flags, entry.eax, entry.ebx, entry.ecx, entry.edx] {
        bytes.append(field: word)
      }
    }
    return bytes
  }

  init(encoded bytes: [UInt8], orElse fault: StateError) throws(StateError) {
    guard bytes.count % Self.entrySize == 0, !bytes.isEmpty else { throw fault }
    var entries: [kvm_cpuid_entry2] = []
    for place in stride(from: 0, to: bytes.count, by: Self.entrySize) {
      var entry = kvm_cpuid_entry2()
      entry.function = bytes.field(at: place)
      entry.index = bytes.field(at: place + 4)
      entry.flags = bytes.field(at: place + 8)
      entry.eax = bytes.field(at: place + 12)
      entry.ebx = bytes.field(at: place + 16)
      entry.ecx = bytes.field(at: place + 20)
      entry.edx = bytes.field(at: place + 24)
      entries.append(entry)
    }
    self.init(entries)
  }

  /// Registers that are lists of features: leaf, subleaf, and the masks of EAX, EBX, ECX and EDX.
  private static let features: [(function: UInt32, index: UInt32, masks: [UInt32])] = [
    // OSXSAVE follows CR4.
    (1, 0, [0, 0, ~(1 << 27), .max]),
    (7, 0, [0, .max, .max, .max]),
    (7, 1, [.max, 0, .max, .max]),
    (7, 2, [0, 0, 0, .max]),
    (0xd, 0, [.max, 0, 0, .max]),
    (0xd, 1, [.max, 0, .max, .max]),
    // Processor trace, and which of its periods there are.
    (0x14, 0, [0, .max, .max, 0]),
    (0x14, 1, [~7, .max, 0, 0]),
    // AVX10: its lengths, and what belongs to no version.
    (0x24, 0, [0, ~0xff, 0, 0]),
    (0x24, 1, [0, 0, .max, 0]),
    (0x4000_0001, 0, [.max, 0, 0, .max]),
    (0x8000_0001, 0, [0, 0, .max, .max]),
    (0x8000_0007, 0, [0, 0, 0, .max]),
    (0x8000_0008, 0, [0, .max, 0, 0]),
    (0x8000_0021, 0, [.max, 0, .max, 0]),
  ]

  /// Numbers in registers, of which less is a subset: leaf, subleaf, register and mask.
  private static let sizes: [(function: UInt32, index: UInt32, register: Int, mask: UInt32)] = [
    (0x14, 1, 0, 7),  // Ranges of addresses.
    (0x24, 0, 1, 0xff),  // The version.
    // Bits of an address, physical and linear: with fewer, what the guest put into its page tables is reserved.
    (0x8000_0008, 0, 0, 0xff),
    (0x8000_0008, 0, 0, 0xff00),
  ]

  /// The first leaf in which these are features that `host` does not have, more of something, or another maker's name; nil if
  /// there is none.
  func leaf(beyond host: CPUID) -> UInt32? {
    if registers(0, 0)[1...] != host.registers(0, 0)[1...] { return 0 }
    for (function, index, masks) in Self.features {
      let (own, theirs) = (registers(function, index), host.registers(function, index))
      for (register, mask) in masks.enumerated() where own[register] & ~theirs[register] & mask != 0 { return function }
    }
    for (function, index, register, mask) in Self.sizes
    where registers(function, index)[register] & mask > host.registers(function, index)[register] & mask {
      return function
    }
    return nil
  }

  /// Zeros where the leaf is not there.
  private func registers(_ function: UInt32, _ index: UInt32) -> [UInt32] {
    guard let entry = entries.first(where: { $0.function == function && $0.index == index }) else {
      return [0, 0, 0, 0]
    }
    return [entry.eax, entry.ebx, entry.ecx, entry.edx]
  }
}

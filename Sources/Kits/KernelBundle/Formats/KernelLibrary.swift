/// A kernel that is data of a shared library, as libkrun's monitors load it (libkrunfw, utils/bin2cbundle.py): memory as
/// it is to be, without headers, in the symbol `KERNEL_BUNDLE`. Where it belongs, where it is entered in 64-bit mode, and
/// its size are what the function `krunfw_get_kernel` stores through its three arguments, as constants.
package struct KernelLibrary {
  /// The same as an ELF executable of one segment.
  package let executable: [UInt8]

  private static let bundle = "KERNEL_BUNDLE"
  private static let getter = "krunfw_get_kernel"
  private static let symbolSize = 24
  private static let pageSize = 4096

  /// Nil if the file is no such library.
  package init?(_ elf: ELFImage) throws(ImageFault) {
    guard elf.type == ELFImage.typeShared, let symbols = elf.section(".dynsym"), let names = elf.section(".dynstr"),
      let bundle = try Self.contents(Self.bundle, elf, symbols, names),
      let getter = try Self.contents(Self.getter, elf, symbols, names)
    else { return nil }
    let stored = Self.stored(by: elf.bytes[getter])
    guard stored.count == 3, stored[2] <= UInt64(bundle.count) else { throw .badELF(.header) }
    let (address, entry, size) = (stored[0], stored[1], Int(stored[2]))

    // The System V ABI, "ELF Header" and "Program Header"; with no sections.
    var file = Array(elf.bytes[..<16])
    func append(_ value: UInt64, _ bytes: Int) {
      for byte in 0..<bytes { file.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte)))) }
    }
    append(UInt64(ELFImage.typeExecutable), 2)
    append(UInt64(ELFImage.machineX8664), 2)
    append(1, 4)
    for (value, bytes) in [(entry, 8), (64, 8), (0, 8), (0, 4), (64, 2), (56, 2), (1, 2), (64, 2), (0, 2), (0, 2)] {
      append(value, bytes)
    }
    append(UInt64(ELFImage.segmentLoad), 4)
    append(7, 4)
    for value in [UInt64(Self.pageSize), address, address, UInt64(size), UInt64(size), UInt64(Self.pageSize)] {
      append(value, 8)
    }
    file += repeatElement(0, count: Self.pageSize - file.count)
    executable = file + elf.bytes[bundle.lowerBound..<bundle.lowerBound + size]
  }

  /// Where in the file the contents of a symbol are; nil if there is none of that name.
  private static func contents(
    _ name: String, _ elf: ELFImage, _ symbols: ELFImage.Section, _ names: ELFImage.Section
  ) throws(ImageFault) -> Range<Int>? {
    let (bytes, name) = (elf.bytes, Array(name.utf8) + [0])
    let end = symbols.fileRange.upperBound - symbolSize + 1
    for at in stride(from: symbols.fileRange.lowerBound, to: end, by: symbolSize) {
      guard let offset = bytes.u32(at: at), let value = bytes.u64(at: at + 8), let size = bytes.u64(at: at + 16),
        Int(offset) <= names.fileRange.count - name.count,
        bytes.hasPrefix(name, at: names.fileRange.lowerBound + Int(offset))
      else { continue }
      for segment in try elf.segments() where segment.type == ELFImage.segmentLoad {
        guard value >= segment.virtualAddress, value - segment.virtualAddress <= UInt64(segment.fileRange.count),
          size <= UInt64(segment.fileRange.count) - (value - segment.virtualAddress)
        else { continue }
        let start = segment.fileRange.lowerBound + Int(value - segment.virtualAddress)
        return start..<start + Int(size)
      }
      throw .badELF(.header)
    }
    return nil
  }

  /// The constants of the function's stores of 64 bits, in their order: REX.W C7 /0 with a register's address and no
  /// displacement (Intel SDM, volume 2, MOV).
  private static func stored(by code: ArraySlice<UInt8>) -> [UInt64] {
    let code = Array(code)
    var constants: [UInt64] = []
    var at = 0
    while at + 7 <= code.count {
      // Of the addresses, those by RSP and relative to RIP have more bytes.
      if code[at] == 0x48, code[at + 1] == 0xC7, code[at + 2] < 8, code[at + 2] != 4, code[at + 2] != 5,
        let constant = code.u32(at: at + 3)
      {
        constants.append(UInt64(constant))
        at += 7
      } else {
        at += 1
      }
    }
    return constants
  }
}

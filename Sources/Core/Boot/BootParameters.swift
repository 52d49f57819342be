import LittleEndian

/// `struct boot_params`, the "zero page" in which Linux finds what its loader tells it
/// (Documentation/arch/x86/zero-page.rst; offsets as in the kernel's asm/bootparam.h).
package struct BootParameters {
  package static let size = 4096
  /// E820_MAX_ENTRIES_ZEROPAGE.
  package static let maximumMemoryEntries = 128

  package private(set) var bytes: [UInt8]

  private enum Offset {
    static let acpiRSDP = 0x070
    static let extendedRamdiskImage = 0x0c0
    static let extendedRamdiskSize = 0x0c4
    static let extendedCommandLinePointer = 0x0c8
    static let memoryEntryCount = 0x1e8
    static let memoryEntries = 0x2d0
  }

  /// All zero but for the kernel's own header.
  package init(_ setup: SetupHeader) {
    bytes = [UInt8](repeating: 0, count: Self.size)
    bytes.put(bytes: setup.bytes, at: SetupHeader.offset)
    put(UInt8(0xff), .loaderType)  // a loader without a number of its own
    bytes[SetupHeader.Field.loadFlags.rawValue] |= 1  // LOADED_HIGH
  }

  package mutating func setCommandLine(_ address: UInt64) {
    put(UInt32(truncatingIfNeeded: address), .commandLinePointer)
    bytes.put(UInt32(truncatingIfNeeded: address >> 32), at: Offset.extendedCommandLinePointer)
  }

  /// Says that the kernel's addresses are random, upon which it makes those of its memory regions and modules random too
  /// (boot.rst, loadflags: KASLR_FLAG, which its own unpacker would set).
  package mutating func setRandomised() { bytes[SetupHeader.Field.loadFlags.rawValue] |= 1 << 1 }

  package mutating func setInitramfs(_ range: Range<UInt64>) {
    let size = range.upperBound - range.lowerBound
    put(UInt32(truncatingIfNeeded: range.lowerBound), .ramdiskImage)
    put(UInt32(truncatingIfNeeded: size), .ramdiskSize)
    bytes.put(UInt32(truncatingIfNeeded: range.lowerBound >> 32), at: Offset.extendedRamdiskImage)
    bytes.put(UInt32(truncatingIfNeeded: size >> 32), at: Offset.extendedRamdiskSize)
  }

  package mutating func setMemoryMap(_ entries: [MemoryMap.Entry]) throws(BootError) {
    guard entries.count <= Self.maximumMemoryEntries else { throw .tooManyMemoryRanges(entries.count) }
    bytes[Offset.memoryEntryCount] = UInt8(entries.count)
    var at = Offset.memoryEntries
    for entry in entries {
      bytes.put(entry.range.lowerBound, at: at)
      bytes.put(entry.range.upperBound - entry.range.lowerBound, at: at + 8)
      bytes.put(entry.kind.rawValue, at: at + 16)
      at += 20
    }
  }

  /// Kernels before 5.0 do not look here and search the last 128 KiB of the first MiB instead.
  package mutating func setACPI(_ rsdp: UInt64) { bytes.put(rsdp, at: Offset.acpiRSDP) }

  /// The first node of the list of further data.
  package mutating func setSetupData(_ address: UInt64) { put(address, .setupData) }

  private mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, _ field: SetupHeader.Field) {
    bytes.put(value, at: field.rawValue)
  }

  /// A `struct setup_data` node with a seed for the kernel's random numbers (SETUP_RNG_SEED; kernels before 6.0 skip
  /// it).
  package static func seedNode(_ seed: [UInt8]) -> [UInt8] {
    var node: [UInt8] = []
    node.append(field: UInt64(0))  // the list ends here
    node.append(field: UInt32(9))  // SETUP_RNG_SEED
    node.append(field: UInt32(seed.count))
    node.append(contentsOf: seed)
    return node
  }
}

import LittleEndian

/// The setup header of a bzImage (Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"): what the kernel
/// tells its loader, and, copied into the boot parameters, what the loader answers.
package struct SetupHeader {
  /// Where the header lies, in a bzImage as in the boot parameters.
  package static let offset = 0x1f1
  /// `struct boot_params` gives the header 0x290 - 0x1f1 bytes.
  package static let maximumSize = 0x290 - offset

  /// The header's bytes, from offset 0x1f1 to the end that the kernel states, at most `maximumSize`.
  package let bytes: [UInt8]

  /// From the bytes of a bzImage, or of the header alone (`isHeaderOnly`: they begin at offset 0x1f1).
  package init(_ file: Span<UInt8>, isHeaderOnly: Bool = false) throws(BootError) {
    let base = isHeaderOnly ? 0 : Self.offset
    guard file.field(UInt32.self, at: base + Field.header.rawValue - Self.offset) == 0x5372_6448,  // "HdrS"
      file.field(UInt16.self, at: base + Field.bootFlag.rawValue - Self.offset) == 0xaa55,
      let version = file.field(UInt16.self, at: base + Field.version.rawValue - Self.offset),
      let jump = file.field(UInt8.self, at: base + 0x201 - Self.offset)
    else { throw .badSetupHeader }
    guard version >= 0x206 else { throw .bootProtocolTooOld(version) }
    // The jump over the header, whose displacement counts from 0x202, ends where the header ends.
    let size = 0x202 + Int(jump) - Self.offset
    guard size <= Self.maximumSize, base + size <= file.count else { throw .badSetupHeader }
    guard size >= Field.commandLineSize.rawValue + 4 - Self.offset else { throw .badSetupHeader }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    for index in 0..<size { bytes.append(file[base + index]) }
    self.bytes = bytes
  }

  /// What a bare vmlinux is taken for: protocol 2.15 and the limits that x86-64 kernels have had since 2.6.30.
  package init() {
    var bytes = [UInt8](repeating: 0, count: Field.kernelInfoOffset.rawValue + 4 - Self.offset)
    func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, _ field: Field) {
      bytes.put(value, at: field.rawValue - Self.offset)
    }
    put(UInt16(0xaa55), .bootFlag)
    put(UInt32(0x5372_6448), .header)
    put(UInt16(0x20f), .version)
    put(UInt8(1), .loadFlags)  // LOADED_HIGH
    put(UInt32(0x7fff_ffff), .initramfsAddressMaximum)
    put(UInt32(0x20_0000), .kernelAlignment)
    put(UInt16(3), .extendedLoadFlags)  // XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G
    put(UInt32(2047), .commandLineSize)  // COMMAND_LINE_SIZE - 1
    self.bytes = bytes
  }

  /// Sectors of 512 bytes before the protected-mode code, the boot sector not counted.
  package var setupSectors: Int {
    let sectors: UInt8 = value(.setupSectors)
    return sectors == 0 ? 4 : Int(sectors)
  }
  package var version: UInt16 { value(.version) }
  /// Where a kernel that cannot be moved wants its protected-mode code: LOADED_HIGH says 1 MiB.
  package var isLoadedHigh: Bool { (value(.loadFlags) as UInt8) & 1 != 0 }
  /// The last address that a byte of the initramfs may have.
  package var initramfsAddressMaximum: UInt32 { value(.initramfsAddressMaximum) }
  package var kernelAlignment: UInt32 { value(.kernelAlignment) }
  package var isRelocatable: Bool { (value(.relocatableKernel) as UInt8) != 0 }
  /// XLF_KERNEL_64: a 64-bit entry 0x200 bytes into the protected-mode code.
  package var has64BitEntry: Bool { version >= 0x20c && (value(.extendedLoadFlags) as UInt16) & 1 != 0 }
  /// XLF_CAN_BE_LOADED_ABOVE_4G: kernel, boot parameters and the rest.
  package var canLieAbove4GiB: Bool { version >= 0x20c && (value(.extendedLoadFlags) as UInt16) & 2 != 0 }
  /// The longest command line, its terminating zero not counted.
  package var commandLineSize: UInt32 { value(.commandLineSize) }
  package var preferredAddress: UInt64 { version >= 0x20a ? value(.preferredAddress) : 0x10_0000 }
  /// Memory that decompression wants from the load address on.
  package var initialSize: UInt32 { version >= 0x20a ? value(.initialSize) : 0 }

  private func value<T: FixedWidthInteger & UnsignedInteger>(_ field: Field) -> T {
    bytes.span.field(T.self, at: field.rawValue - Self.offset) ?? 0
  }

  /// Offsets within the boot sector and within the boot parameters.
  package enum Field: Int {
    case setupSectors = 0x1f1
    case bootFlag = 0x1fe
    case header = 0x202
    case version = 0x206
    case loaderType = 0x210
    case loadFlags = 0x211
    case code32Start = 0x214
    case ramdiskImage = 0x218
    case ramdiskSize = 0x21c
    case commandLinePointer = 0x228
    case initramfsAddressMaximum = 0x22c
    case kernelAlignment = 0x230
    case relocatableKernel = 0x234
    case extendedLoadFlags = 0x236
    case commandLineSize = 0x238
    case setupData = 0x250
    case preferredAddress = 0x258
    case initialSize = 0x260
    case kernelInfoOffset = 0x268
  }
}

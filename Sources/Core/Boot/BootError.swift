/// What can be wrong with a kernel, its initramfs, its command line, or the machine asked for.
package enum BootError: Error, Equatable {
  // The ELF image.
  /// The file ends before `needed` bytes.
  case truncated(needed: UInt64, size: UInt64)
  case notELF
  /// ELFCLASS32: this machine enters 64-bit kernels only.
  case not64Bit
  /// Neither little-endian nor ELF version 1.
  case unsupportedELFFormat
  /// `e_machine` is not EM_X86_64.
  case wrongMachine(UInt16)
  /// `e_type` is neither ET_EXEC nor ET_DYN.
  case notExecutable(type: UInt16)
  case badProgramHeaderSize(UInt16)
  case badProgramHeaderCount(UInt16)
  /// Program header `index` contradicts itself or the file's size.
  case badSegment(index: Int)
  case nothingToLoad
  /// Two segments claim `address`.
  case segmentsOverlap(address: UInt64)
  case badNotes
  case entryOutsideImage(UInt64)

  // The bzImage.
  case badSetupHeader
  /// A boot protocol older than 2.06 cannot say how long a command line it takes.
  case bootProtocolTooOld(UInt16)
  /// The image offers no entry of the kind asked for, or none at all.
  case noUsableEntry

  /// A relocation behind the image points out of it.
  case badRelocation

  // The machine.
  /// RAM is given in whole pages, at least one MiB.
  case badMemorySize(UInt64)
  case memoryTooLarge(size: UInt64, limit: UInt64)
  /// The kernel with its initramfs wants `needed` bytes of RAM.
  case memoryTooSmall(needed: UInt64, size: UInt64)
  /// The image wants to lie in the first MiB or in the MMIO hole.
  case kernelOutsideRAM(address: UInt64)
  /// No place below `limit`, the highest address at which this kernel takes its initramfs.
  case initramfsDoesNotFit(size: UInt64, limit: UInt64)
  case commandLineTooLong(length: Int, limit: Int)
  /// A zero byte ends a command line; one inside would cut it.
  case commandLineHoldsZero
  case tablesTooLarge(size: Int, limit: Int)
  case tooManyMemoryRanges(Int)
  case tooManyProcessors(Int)
  /// The address, not in RAM, at which boot data was to be written.
  case cannotWrite(address: UInt64)
}

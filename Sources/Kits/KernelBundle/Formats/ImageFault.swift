/// What is wrong with the bytes of a kernel image or module. `KernelBundleError.image` adds which file it was.
package enum ImageFault: Error, Equatable {
  /// Neither ELF nor a bzImage.
  case notAKernel
  /// The file ends before `needed` bytes, which its own headers say it has.
  case truncated(needed: Int, present: Int)
  /// A kernel for 32-bit x86.
  case thirtyTwoBit
  /// An ELF or EFI image for a machine other than x86-64, by its ELF `e_machine`.
  case otherMachine(UInt16)
  /// A zImage, or a bzImage of a boot protocol before 2.08 (Linux 2.6.26), which has no payload fields.
  case oldBootProtocol(UInt16)
  /// The payload begins with bytes of no known format.
  case unknownPayload([UInt8])
  /// The payload, or a module, does not decompress.
  case compression(Compression, CompressionFault)
  /// The payload decompressed to another size than the image promises.
  case payloadSize(expected: Int, actual: Int)
  /// The image is not what its build made: the CRC-32 at its end is wrong.
  case checksum
  /// The ELF header or its program headers make no sense.
  case badELF(ELFFault)
  /// A kernel module without `.modinfo`, or not a kernel module.
  case notAModule
}

package enum ELFFault: Equatable, Sendable {
  case header
  case programHeaders
  case segment(Int)
  case noLoadableSegment
  case entryOutsideSegments
  case notExecutable
}

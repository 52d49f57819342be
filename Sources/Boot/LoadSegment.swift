/// A run of the kernel file and the guest-physical range it belongs in. Memory past the file's bytes is zero.
///
/// The file's bytes can be copied, or, where `isPageCongruent`, mapped privately over guest RAM: then machines of one
/// kernel share all pages that they do not write.
package struct LoadSegment: Equatable {
  package static let pageSize: UInt64 = 4096

  package var fileOffset: UInt64
  package var fileSize: UInt64
  package var address: UInt64
  /// At least `fileSize`.
  package var memorySize: UInt64
  package var isWritable: Bool
  package var isExecutable: Bool

  package init(
    fileOffset: UInt64, fileSize: UInt64, address: UInt64, memorySize: UInt64, isWritable: Bool, isExecutable: Bool
  ) {
    self.fileOffset = fileOffset
    self.fileSize = fileSize
    self.address = address
    self.memorySize = memorySize
    self.isWritable = isWritable
    self.isExecutable = isExecutable
  }

  /// The first address after it. Parsing has shown that it does not overflow.
  package var end: UInt64 { address &+ memorySize }

  /// Whether file offset and address agree modulo the page size, so that whole pages of the file can be mapped.
  package var isPageCongruent: Bool { fileOffset % Self.pageSize == address % Self.pageSize }

  /// The whole pages of the segment that can be mapped from the file, if any: the rest at either end is copied.
  package var mappable: (fileOffset: UInt64, address: UInt64, size: UInt64)? {
    guard isPageCongruent, let start = address.roundedUp(to: Self.pageSize) else { return nil }
    let end = (address &+ fileSize).roundedDown(to: Self.pageSize)
    guard start < end else { return nil }
    return (fileOffset &+ (start &- address), start, end &- start)
  }
}

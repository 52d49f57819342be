/// A run of the kernel file and the guest-physical range it belongs in. Memory past the file's bytes is zero.
package struct LoadSegment: Equatable {
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
}

internal import LittleEndian

/// What a driver is told of a disk besides its size.
package struct BlockShape: Equatable, Sendable {
  /// Virtio counts in these, whatever the disk's blocks are.
  package static let sector: UInt64 = 512
  /// Bytes of a serial number (Virtio 1.2, 5.2.6: VIRTIO_BLK_T_GET_ID).
  package static let serialLimit = 20

  package var isReadOnly = false
  /// Up to `serialLimit` bytes; longer ones are cut.
  package var serial: [UInt8] = []
  /// Bytes of the smallest request, a power of two from 512 on.
  package var blockSize: UInt32 = 512
  /// Bytes that the disk itself reads and writes at once, such as 4096: at least `blockSize`, a power of two.
  package var physicalBlockSize: UInt32 = 512
  /// Bytes that are best at the least, and best of all; 0 where the disk does not say.
  package var minimumTransfer: UInt32 = 0
  package var optimalTransfer: UInt32 = 0
  /// Bytes that are discarded at once, a multiple of `blockSize`.
  package var discardUnit: UInt32 = 4096

  package init() {}

  /// 5.2.4: the exponent of physical blocks in blocks, the offset of the first, and best sizes in blocks.
  var topology: [UInt8] {
    let exponent = max(physicalBlockSize.trailingZeroBitCount - blockSize.trailingZeroBitCount, 0)
    let blocks = UInt32(max(blockSize, 1))
    let least = UInt16(clamping: minimumTransfer / blocks)
    return [UInt8(clamping: exponent), 0] + littleEndian(least) + littleEndian(optimalTransfer / blocks)
  }
}

/// Why bytes are no frame, or a value makes none.
package enum FrameError: Error, Equatable, Sendable {
  case unknownType(UInt8)
  /// Flags or reserved bits are set that this version does not define.
  case reservedBits(FrameType)
  /// The payload is longer than ``FrameType/payloadLimit``.
  case oversized(FrameType, length: UInt32)
  /// The payload does not hold what a frame of this type holds, or more than that.
  case malformed(FrameType)
  /// Fewer bytes than a header.
  case truncated
  /// Not a record of a file, or one that leads elsewhere than to where the files go.
  case malformedRecord
}

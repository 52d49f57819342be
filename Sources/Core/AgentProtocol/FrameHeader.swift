/// The eight bytes before each payload.
///
///     0  u8   type
///     1  u8   flags, zero
///     2  u16  reserved, zero
///     4  u32  length of the payload
package struct FrameHeader: Equatable, Sendable {
  package static let size = 8

  package var type: FrameType
  package var length: UInt32

  package init(type: FrameType, length: UInt32) {
    self.type = type
    self.length = length
  }

  /// Decodes and validates the first ``size`` bytes of `bytes`; the caller has made sure that they are there.
  init(_ bytes: [UInt8]) throws(FrameError) {
    guard bytes.count >= Self.size else { throw .truncated }
    guard let type = FrameType(rawValue: bytes[0]) else { throw .unknownType(bytes[0]) }
    guard bytes[1] == 0, bytes[2] == 0, bytes[3] == 0 else { throw .reservedBits(type) }
    let length = UInt32(bytes[4]) | UInt32(bytes[5]) << 8 | UInt32(bytes[6]) << 16 | UInt32(bytes[7]) << 24
    guard length <= type.payloadLimit else { throw .oversized(type, length: length) }
    self.init(type: type, length: length)
  }

  /// Appends the eight bytes.
  package func encode(into bytes: inout [UInt8]) {
    bytes.append(type.rawValue)
    bytes.append(0)
    bytes.append(little: UInt16(0))
    bytes.append(little: length)
  }

  /// Writes the eight bytes over those at `offset`, which must be there: for a payload that is read in place.
  package func encode(over bytes: inout [UInt8], at offset: Int) {
    bytes[offset] = type.rawValue
    for byte in 1..<4 { bytes[offset + byte] = 0 }
    for byte in 0..<4 { bytes[offset + 4 + byte] = UInt8(truncatingIfNeeded: length >> (8 * byte)) }
  }
}

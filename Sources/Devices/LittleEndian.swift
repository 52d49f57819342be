/// The bytes of a number, the lowest first.
func littleEndian<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> [UInt8] {
  var result: [UInt8] = []
  for byte in 0..<(T.bitWidth / 8) { result.append(UInt8(truncatingIfNeeded: value >> T(8 * byte))) }
  return result
}

extension [UInt8] {
  /// The number that begins at `offset`, the lowest byte first; the caller has checked that all of it is there.
  func littleEndian<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self, at offset: Int) -> T {
    var value: T = 0
    for byte in 0..<(T.bitWidth / 8) { value |= T(self[offset + byte]) << T(8 * byte) }
    return value
  }
}

// Little-endian fields at byte offsets: how every structure of this module is laid out.

extension Span where Element == UInt8 {
  /// The field at `offset`, or nil where it does not lie within the bytes.
  func field<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type, at offset: Int) -> T? {
    let size = T.bitWidth / 8
    guard offset >= 0, count >= size, offset <= count - size else { return nil }
    var value: T = 0
    for index in 0..<size { value |= T(truncatingIfNeeded: self[offset + index]) << T(8 * index) }
    return value
  }
}

extension Array where Element == UInt8 {
  /// Appends `value`, low byte first.
  mutating func append<T: FixedWidthInteger & UnsignedInteger>(field value: T) {
    for index in 0..<(T.bitWidth / 8) { append(UInt8(truncatingIfNeeded: value >> T(8 * index))) }
  }

  /// Overwrites the bytes at `offset`, which the caller knows to exist.
  mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, at offset: Int) {
    for index in 0..<(T.bitWidth / 8) { self[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index)) }
  }

  /// Overwrites the bytes at `offset` with `bytes`.
  mutating func put(bytes: [UInt8], at offset: Int) {
    for index in bytes.indices { self[offset + index] = bytes[index] }
  }

  mutating func append(ascii text: String) { append(contentsOf: text.utf8) }
}

extension UInt64 {
  /// The next multiple of `alignment` (a power of two), or nil past the end of the address space.
  func roundedUp(to alignment: UInt64) -> UInt64? {
    let (sum, overflow) = addingReportingOverflow(alignment &- 1)
    return overflow ? nil : sum & ~(alignment &- 1)
  }

  func roundedDown(to alignment: UInt64) -> UInt64 { self & ~(alignment &- 1) }
}

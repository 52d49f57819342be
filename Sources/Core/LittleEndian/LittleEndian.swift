// Numbers among bytes, low byte first: how processors, firmware's tables and virtio lay them out.

/// The bytes of a number.
@inlinable
package func littleEndian<T: FixedWidthInteger & UnsignedInteger>(_ value: T) -> [UInt8] {
  var bytes: [UInt8] = []
  bytes.append(field: value)
  return bytes
}

extension Span where Element == UInt8 {
  /// The field at `offset`, or nil where it does not lie within the bytes.
  @inlinable
  package func field<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self, at offset: Int) -> T? {
    let size = T.bitWidth / 8
    guard offset >= 0, count >= size, offset <= count - size else { return nil }
    var value: T = 0
    for index in 0..<size { value |= T(truncatingIfNeeded: self[offset + index]) << T(8 * index) }
    return value
  }
}

extension [UInt8] {
  /// The field at `offset`, which the caller knows to exist.
  @inlinable
  package func field<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self, at offset: Int) -> T {
    var value: T = 0
    for index in 0..<(T.bitWidth / 8) { value |= T(self[offset + index]) << T(8 * index) }
    return value
  }

  @inlinable
  package mutating func append<T: FixedWidthInteger & UnsignedInteger>(field value: T) {
    for index in 0..<(T.bitWidth / 8) { append(UInt8(truncatingIfNeeded: value >> T(8 * index))) }
  }

  /// Overwrites the bytes at `offset`, which the caller knows to exist.
  @inlinable
  package mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, at offset: Int) {
    for index in 0..<(T.bitWidth / 8) { self[offset + index] = UInt8(truncatingIfNeeded: value >> T(8 * index)) }
  }
}

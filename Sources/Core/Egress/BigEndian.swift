// Numbers among the bytes of packets, the first byte the highest.

extension Span where Element == UInt8 {
  /// Nil where it does not lie within the bytes.
  func number<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self, at offset: Int) -> T? {
    let size = T.bitWidth / 8
    guard offset >= 0, count >= size, offset <= count - size else { return nil }
    var value: T = 0
    for index in 0..<size { value = value << 8 | T(truncatingIfNeeded: self[offset + index]) }
    return value
  }

  func bytes(_ range: Range<Int>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(range.count)
    for index in range { bytes.append(self[index]) }
    return bytes
  }
}

extension [UInt8] {
  mutating func append<T: FixedWidthInteger & UnsignedInteger>(number value: T) {
    for index in stride(from: T.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: index)))
    }
  }

  mutating func put(number value: UInt16, at offset: Int) {
    self[offset] = UInt8(value >> 8)
    self[offset + 1] = UInt8(value & 0xff)
  }

  /// The internet's checksum (RFC 1071), begun with `sum`.
  func checksum(from start: Int, sum: UInt32 = 0) -> UInt16 {
    var sum = sum
    var index = start
    while index < count {
      sum &+= UInt32(self[index]) << 8 | (index + 1 < count ? UInt32(self[index + 1]) : 0)
      index += 2
      sum = sum & 0xffff &+ sum >> 16
    }
    sum = sum & 0xffff &+ sum >> 16
    return ~UInt16(sum)
  }
}

/// Memory by physical addresses, as firmware and boot loaders hand it over. What they say of it may be wrong.
package protocol PhysicalMemory {
  /// The byte at `address`, or nil where there is no memory that may be read.
  func byte(at address: UInt64) -> UInt8?
}

extension PhysicalMemory {
  /// The little-endian number at `address`, or nil where a byte of it cannot be read.
  @inlinable
  package func field<T: FixedWidthInteger & UnsignedInteger>(_: T.Type = T.self, at address: UInt64) -> T? {
    var value: T = 0
    for index in 0..<(T.bitWidth / 8) {
      let (place, wraps) = address.addingReportingOverflow(UInt64(index))
      guard !wraps, let byte = byte(at: place) else { return nil }
      value |= T(truncatingIfNeeded: byte) << T(8 * index)
    }
    return value
  }

  /// Whether the ASCII `text` is at `address`.
  @inlinable
  package func holds(_ text: StaticString, at address: UInt64) -> Bool {
    for index in 0..<text.utf8CodeUnitCount {
      guard let byte = byte(at: address &+ UInt64(index)), unsafe byte == text.utf8Start[index] else { return false }
    }
    return true
  }

  /// The sum of `count` bytes, by which tables are checked; nil where one cannot be read.
  @inlinable
  package func sum(at address: UInt64, count: Int) -> UInt8? {
    var sum: UInt8 = 0
    for index in 0..<count {
      guard let byte = byte(at: address &+ UInt64(index)) else { return nil }
      sum &+= byte
    }
    return sum
  }
}

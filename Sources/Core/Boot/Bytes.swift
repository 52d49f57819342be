extension [UInt8] {
  /// Overwrites the bytes at `offset`, which the caller knows to exist, with `bytes`.
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

extension Span where Element == UInt8 {
  /// The `index`-th of the little-endian 32-bit words that the bytes consist of, by one look at the bounds. Traps where there
  /// is none.
  @inlinable
  package func word(_ index: Int) -> UInt32 {
    precondition(index >= 0 && index < count / 4)
    // Bytes have no padding, and the word lies within them.
    return UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index &* 4, as: UInt32.self))
  }

  /// The first word from the `start`-th on that is less than `base` or not less than `base + count`, which wrap around; nil if
  /// there is none. Looks at many at once.
  @inlinable
  package func firstWord(from start: Int, outside base: UInt32, count limit: UInt32) -> Int? {
    let block = 64
    var index = Swift.max(start, 0)
    let end = count / 4
    // Below zero where nothing is inside.
    let greatest = UInt64(limit) &- 1
    // All offsets are of words before the end.
    return unsafe withUnsafeBytes { bytes in
      guard let words = bytes.baseAddress else { return nil }
      while index < end {
        if end &- index >= block {
          // What is outside makes the difference negative. A comparison would be made a branch for each word again; so the
          // compiler has several looked at by one instruction.
          var signs: UInt64 = 0
          for each in 0..<block {
            let word = unsafe UInt32(
              littleEndian: words.loadUnaligned(fromByteOffset: (index &+ each) &* 4, as: UInt32.self))
            signs |= greatest &- UInt64(word &- base)
          }
          if signs >> 63 == 0 {
            index &+= block
            continue
          }
        }
        let last = Swift.min(index &+ block, end)
        while index < last {
          let word = unsafe UInt32(littleEndian: words.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self))
          if word &- base >= limit { return index }
          index &+= 1
        }
      }
      return nil
    }
  }
}

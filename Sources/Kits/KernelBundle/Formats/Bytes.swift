/// Checked little-endian loads and searches on bytes that somebody else wrote: every access answers nil outside the
/// array, so that a parser's bounds are its `guard`s.
extension [UInt8] {
  package func u16(at offset: Int) -> UInt16? {
    guard contains(range: offset, count: 2) else { return nil }
    return UInt16(self[offset]) | UInt16(self[offset + 1]) << 8
  }

  package func u32(at offset: Int) -> UInt32? {
    guard let low = u16(at: offset), let high = u16(at: offset &+ 2) else { return nil }
    return UInt32(low) | UInt32(high) << 16
  }

  package func u64(at offset: Int) -> UInt64? {
    guard let low = u32(at: offset), let high = u32(at: offset &+ 4) else { return nil }
    return UInt64(low) | UInt64(high) << 32
  }

  package func u32BigEndian(at offset: Int) -> UInt32? {
    u32(at: offset).map(\.byteSwapped)
  }

  package func u16BigEndian(at offset: Int) -> UInt16? {
    u16(at: offset).map(\.byteSwapped)
  }

  package func contains(range offset: Int, count: Int) -> Bool {
    offset >= 0 && count >= 0 && offset <= self.count && count <= self.count - offset
  }

  /// The half-open range of a file's field pair, nil unless all of it is inside. Fields are 64 bits wide in ELF and may
  /// hold anything.
  package func range(offset: UInt64, count: UInt64) -> Range<Int>? {
    guard let offset = Int(exactly: offset), let count = Int(exactly: count), contains(range: offset, count: count)
    else { return nil }
    return offset..<(offset + count)
  }

  /// The bytes from `offset` to the next NUL before `limit`, as text; nil when there is none.
  package func cString(at offset: Int, limit: Int = .max) -> String? {
    guard offset >= 0, offset < count else { return nil }
    let end = Swift.min(count, offset.addingReportingOverflow(limit).overflow ? count : offset + limit)
    guard let nul = self[offset..<end].firstIndex(of: 0) else { return nil }
    return String(decoding: self[offset..<nul], as: UTF8.self)
  }

  package func hasPrefix(_ prefix: [UInt8], at offset: Int = 0) -> Bool {
    contains(range: offset, count: prefix.count) && self[offset..<(offset + prefix.count)].elementsEqual(prefix)
  }

  /// Where `needle` begins, at or after `start`: Horspool's search, as a kernel image is tens of megabytes long and is
  /// searched for a dozen strings.
  package func firstOffset(of needle: [UInt8], from start: Int = 0) -> Int? {
    guard start >= 0, start <= count, let lastByte = needle.last else { return nil }
    let last = needle.count - 1
    var skip = [Int](repeating: needle.count, count: 256)
    for (index, byte) in needle.dropLast().enumerated() { skip[Int(byte)] = last - index }
    let hay = self.span
    var end = start + last
    while end < hay.count {
      let byte = hay[end]
      if byte == lastByte, self[(end - last)..<end].elementsEqual(needle.dropLast()) { return end - last }
      end += skip[Int(byte)]
    }
    return nil
  }

  /// Whether the image holds this text as a whole C string: what a driver's or file system's name leaves behind.
  package func containsCString(_ text: String) -> Bool {
    firstOffset(of: [0] + Array(text.utf8) + [0]) != nil
  }
}

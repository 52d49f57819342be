package import GuestMemory

/// Writes a reply front to back into the pieces of guest memory offered for it; the header comes last, by `finish`.
package struct ReplyWriter {
  /// Bytes of `fuse_out_header`: length, error, unique.
  package static let headerSize = 16

  let slices: [GuestSlice]
  /// Bytes that the reply may have after its header; negative when not even the header fits.
  package let capacity: Int
  /// Bytes written after the header.
  package private(set) var count = 0
  private var index = 0
  private var offset = 0

  package init(_ slices: [GuestSlice]) {
    self.slices = slices
    var total = 0
    for slice in slices { total = total &+ slice.count }
    capacity = total - ReplyWriter.headerSize
    if capacity >= 0 { advance(ReplyWriter.headerSize) }
  }

  /// Bytes that still fit.
  package var room: Int { capacity - count }

  /// Passes over bytes in the slices; the caller has checked that they are there.
  private mutating func advance(_ distance: Int) {
    var left = distance
    while left > 0, index < slices.count {
      let step = min(left, slices[index].count - offset)
      offset += step
      left -= step
      if offset == slices[index].count {
        index += 1
        offset = 0
      }
    }
  }

  /// Appends a little-endian integer.
  @inline(__always)
  package mutating func append<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) throws(MessageError) {
    let size = MemoryLayout<T>.size
    guard size <= room else { throw .replyTooSmall }
    while index < slices.count, offset == slices[index].count {
      index += 1
      offset = 0
    }
    if slices[index].count - offset >= size {
      do { try slices[index].store(value, at: offset) } catch { throw .replyTooSmall }
      offset += size
      count += size
      return
    }
    for position in 0..<size {
      try append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: position * 8)))
    }
  }

  /// Appends bytes.
  package mutating func append(_ bytes: Span<UInt8>) throws(MessageError) {
    // Bytes have no padding.
    try append(unsafe bytes.bytes)
  }

  /// Appends a structure of words: at once, since replies of many fields are the ones that come most.
  mutating func append(words: Span<UInt64>) throws(MessageError) {
    #if _endian(little)
      // Nor have integers.
      try append(unsafe words.bytes)
    #else
      for index in words.indices { try append(words[index]) }
    #endif
  }

  private mutating func append(_ bytes: RawSpan) throws(MessageError) {
    guard bytes.byteCount <= room else { throw .replyTooSmall }
    var done = 0
    while done < bytes.byteCount {
      guard index < slices.count else { throw .replyTooSmall }
      let copied = slices[index].dropping(offset).copy(from: bytes.extracting(droppingFirst: done))
      done += copied
      count += copied
      offset += copied
      if offset == slices[index].count || copied == 0 {
        index += 1
        offset = 0
      }
    }
  }

  package mutating func append(_ bytes: [UInt8]) throws(MessageError) {
    try append(bytes.span)
  }

  /// Appends `length` zero bytes, at most 32.
  mutating func pad(_ length: Int) throws(MessageError) {
    if length == 0 { return }
    let zeros = InlineArray<32, UInt8>(repeating: 0)
    try append(zeros.span.extracting(first: length))
  }

  /// The pieces of guest memory that follow, at most `limit` bytes, for a system call that fills them in place.
  /// What it filled is then told to `filled`.
  package func pieces(_ limit: Int, _ body: (GuestSlice) -> Void) {
    var left = min(limit, room)
    var (index, offset) = (index, offset)
    while left > 0, index < slices.count {
      let piece = slices[index].dropping(offset, count: left)
      if piece.count > 0 { body(piece) }
      left -= piece.count
      index += 1
      offset = 0
    }
  }

  /// Counts `length` bytes as written that were put in place through `pieces`.
  package mutating func filled(_ length: Int) {
    let length = max(0, min(length, room))
    count += length
    advance(length)
  }

  /// Writes the header of a reply without error.
  ///
  /// - Returns: the length of the whole reply; 0 when not even a header fits.
  package func finish(unique: UInt64) -> UInt32 {
    header(length: ReplyWriter.headerSize + count, error: 0, unique: unique)
  }

  /// Writes a reply that is only an error. Whatever was appended is dropped.
  ///
  /// - Parameter error: a positive errno.
  package func fail(_ error: Int32, unique: UInt64) -> UInt32 {
    header(length: ReplyWriter.headerSize, error: 0 &- error, unique: unique)
  }

  private func header(length: Int, error: Int32, unique: UInt64) -> UInt32 {
    guard capacity >= 0, let length = UInt32(exactly: length) else { return 0 }
    var position = 0
    put(length, &position)
    put(error, &position)
    put(unique, &position)
    return length
  }

  /// Stores at an absolute position, byte by byte where the integer spans pieces.
  private func put<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, _ position: inout Int) {
    var start = position
    for slice in slices {
      if start + MemoryLayout<T>.size <= slice.count {
        try? slice.store(value, at: start)
        position += MemoryLayout<T>.size
        return
      }
      if start < slice.count { break }
      start -= slice.count
    }
    for byte in 0..<MemoryLayout<T>.size {
      var start = position
      for slice in slices {
        if start < slice.count {
          try? slice.store(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: byte * 8)), at: start)
          break
        }
        start -= slice.count
      }
      position += 1
    }
  }
}

package import GuestMemory

/// Reads a request front to back through the pieces of guest memory that hold it.
///
/// Every field is loaded from guest memory exactly once: what the caller validates is what the caller uses, whatever
/// the guest does to the buffer meanwhile.
package struct RequestReader {
  let slices: [GuestSlice]
  /// The current piece and the position in it.
  private var index = 0
  private var offset = 0
  /// Bytes of the request not read yet.
  package private(set) var remaining: Int

  package init(_ slices: [GuestSlice]) {
    self.slices = slices
    var total = 0
    for slice in slices { total = total &+ slice.count }
    remaining = total
  }

  /// Forgets what lies beyond `count` further bytes.
  mutating func limit(to count: Int) {
    remaining = min(remaining, max(0, count))
  }

  /// The next little-endian integer.
  @inline(__always)
  package mutating func load<T: FixedWidthInteger & BitwiseCopyable>(
    _ type: T.Type = T.self
  ) throws(MessageError) -> T {
    let size = MemoryLayout<T>.size
    guard size <= remaining else { throw .truncated }
    skipFinished()
    if slices[index].count - offset >= size {
      guard let value = try? slices[index].load(type, at: offset) else { throw .truncated }
      offset += size
      remaining -= size
      return value
    }
    var value: T = 0
    for position in 0..<size {
      value |= T(truncatingIfNeeded: try byte()) << T(truncatingIfNeeded: position * 8)
    }
    return value
  }

  private mutating func byte() throws(MessageError) -> UInt8 {
    guard remaining > 0 else { throw .truncated }
    skipFinished()
    guard let value: UInt8 = try? slices[index].load(at: offset) else { throw .truncated }
    offset += 1
    remaining -= 1
    return value
  }

  private mutating func skipFinished() {
    while index < slices.count - 1, offset >= slices[index].count {
      index += 1
      offset = 0
    }
  }

  /// Passes over `count` bytes.
  package mutating func skip(_ count: Int) throws(MessageError) {
    guard count >= 0, count <= remaining else { throw .truncated }
    remaining -= count
    var left = count
    while left > 0 {
      skipFinished()
      let step = min(left, slices[index].count - offset)
      guard step > 0 else { throw .truncated }
      offset += step
      left -= step
    }
  }

  /// A NUL-terminated name of one component.
  package mutating func name() throws(MessageError) -> FileName {
    guard remaining > 0 else { throw .truncated }
    skipFinished()
    var storage = InlineArray<256, UInt8>(repeating: 0)
    var count = 0
    // The usual case: the name lies in one piece, and is copied at once.
    let piece = slices[index].dropping(offset, count: min(remaining, 256))
    do {
      var span = storage.mutableSpan
      // Every pattern of bits is a byte.
      var target = unsafe span.mutableBytes
      count = piece.copy(to: &target)
    }
    var length = 0
    while length < count, storage[length] != 0 { length += 1 }
    if length < count {
      try skip(length + 1)
      for position in length..<count { storage[position] = 0 }
      return try FileName(storage: storage, count: length)
    }
    if count == 256 { throw .nameTooLong }
    try skip(count)
    while true {
      let next = try byte()
      if next == 0 { return try FileName(storage: storage, count: count) }
      guard count < FileName.maximumLength else { throw .nameTooLong }
      storage[count] = next
      count += 1
    }
  }

  /// The next `count` bytes.
  package mutating func bytes(_ count: Int) throws(MessageError) -> [UInt8] {
    guard count >= 0, count <= remaining else { throw .truncated }
    var result: [UInt8] = []
    result.reserveCapacity(count)
    while result.count < count {
      skipFinished()
      let piece = slices[index].dropping(offset, count: count - result.count)
      guard piece.count > 0 else { throw .truncated }
      result += piece.bytes()
      offset += piece.count
      remaining -= piece.count
    }
    return result
  }

  /// NUL-terminated bytes of any other kind than a name (a link's target, an attribute's name), without the NUL.
  package mutating func terminatedBytes(limit: Int) throws(MessageError) -> [UInt8] {
    var result: [UInt8] = []
    while true {
      let next = try byte()
      if next == 0 { return result }
      guard result.count < limit else { throw .nameTooLong }
      result.append(next)
    }
  }

  /// The next pieces of guest memory, `count` bytes together, for a system call that reads them in place.
  package mutating func pieces(_ count: Int, _ body: (GuestSlice) -> Void) throws(MessageError) {
    guard count >= 0, count <= remaining else { throw .truncated }
    var left = count
    while left > 0 {
      skipFinished()
      let piece = slices[index].dropping(offset, count: left)
      guard piece.count > 0 else { throw .truncated }
      body(piece)
      offset += piece.count
      remaining -= piece.count
      left -= piece.count
    }
  }
}

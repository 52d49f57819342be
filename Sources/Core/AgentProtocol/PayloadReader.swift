/// Reads a payload from front to back. Nothing is read twice, and nothing beyond the end.
struct PayloadReader {
  private let bytes: [UInt8]
  private var offset = 0
  private let type: FrameType

  init(_ bytes: [UInt8], type: FrameType) {
    self.bytes = bytes
    self.type = type
  }

  private var remaining: Int { bytes.count - offset }

  mutating func byte() throws(FrameError) -> UInt8 {
    guard remaining >= 1 else { throw .malformed(type) }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func u16() throws(FrameError) -> UInt16 {
    let low = try byte()
    return UInt16(low) | UInt16(try byte()) << 8
  }

  mutating func u32() throws(FrameError) -> UInt32 {
    let low = try u16()
    return UInt32(low) | UInt32(try u16()) << 16
  }

  mutating func u64() throws(FrameError) -> UInt64 {
    let low = try u32()
    return UInt64(low) | UInt64(try u32()) << 32
  }

  /// A u32 length and as many bytes, none of them NUL.
  mutating func string() throws(FrameError) -> [UInt8] {
    let length = try u32()
    guard length <= remaining else { throw .malformed(type) }
    let end = offset + Int(length)
    let string = [UInt8](bytes[offset..<end])
    guard !string.contains(0) else { throw .malformed(type) }
    offset = end
    return string
  }

  /// A u32 count and as many strings.
  mutating func strings() throws(FrameError) -> [[UInt8]] {
    let count = try u32()
    // Each string takes four bytes at least, so a count cannot make the array larger than the payload warrants.
    guard count <= remaining / 4 else { throw .malformed(type) }
    var strings: [[UInt8]] = []
    strings.reserveCapacity(Int(count))
    for _ in 0..<count { strings.append(try string()) }
    return strings
  }

  /// Throws unless everything has been read.
  func finish() throws(FrameError) {
    guard remaining == 0 else { throw .malformed(type) }
  }
}

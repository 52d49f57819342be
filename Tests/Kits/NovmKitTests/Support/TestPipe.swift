import Foundation
import Host

/// A pipe whose ends a test closes by hand.
struct TestPipe {
  let reader: Int32
  let writer: Int32

  init() throws {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno.current }
    (reader, writer) = (ends[0], ends[1])
  }

  /// Reads to the end.
  func drain() -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(reader, &buffer, buffer.count)
      if count <= 0 { return all }
      all += buffer[..<count]
    }
  }
}

/// A stream of bytes that does not look the same at two places that a fault would confuse: its period is a prime.
enum Pattern {
  private static let block: [UInt8] = {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    return (0..<1_000_003).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return UInt8(truncatingIfNeeded: state)
    }
  }()

  /// The bytes from an offset of the stream on.
  static func bytes(at offset: Int, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      let start = (offset + bytes.count) % block.count
      bytes += block[start..<min(block.count, start + count - bytes.count)]
    }
    return bytes
  }

  static func matches(_ bytes: [UInt8], at offset: Int) -> Bool { self.bytes(at: offset, bytes.count) == bytes }
}

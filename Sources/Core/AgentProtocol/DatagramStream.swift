/// Datagrams in a stream of bytes, each behind its length in two bytes, little-endian (docs/agent-protocol.md, "Built in").
package struct DatagramStream {
  /// The longest, in bytes.
  package static let limit = Int(UInt16.max)

  private var buffer: [UInt8] = []

  package init() {}

  /// Appends a datagram of at most ``limit`` bytes; what is behind is left out.
  package static func encode(_ datagram: some Collection<UInt8>, into bytes: inout [UInt8]) {
    let length = min(datagram.count, limit)
    bytes.append(UInt8(truncatingIfNeeded: length))
    bytes.append(UInt8(truncatingIfNeeded: length >> 8))
    bytes.append(contentsOf: datagram.prefix(length))
  }

  /// Takes bytes of the stream, and gives the datagrams that are complete with them.
  ///
  /// At most ``limit`` bytes and two of one that is not complete are kept.
  package mutating func take(_ bytes: some Collection<UInt8>) -> [[UInt8]] {
    buffer.append(contentsOf: bytes)
    var datagrams: [[UInt8]] = []
    var start = 0
    while buffer.count - start >= 2 {
      let length = Int(buffer[start]) | Int(buffer[start + 1]) << 8
      guard buffer.count - start - 2 >= length else { break }
      datagrams.append(Array(buffer[start + 2..<start + 2 + length]))
      start += 2 + length
    }
    buffer.removeFirst(start)
    return datagrams
  }
}

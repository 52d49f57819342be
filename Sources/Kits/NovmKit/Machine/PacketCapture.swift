import Glibc
import Host

/// A pcapng file on its way from a machine's monitor: it is written in whole blocks, so that whoever ends it with Ctrl-C
/// has a file that can be read.
package struct PacketCapture {
  /// A block, beyond the largest frame with what surrounds it.
  private static let blockLimit = 1 << 20
  /// Type, length, and the length once more (draft-ietf-opsawg-pcapng, 3.1).
  private static let blockMinimum = 12

  private var bytes: [UInt8] = []

  package init() {}

  /// Copies until either end is closed.
  ///
  /// - Parameter name: of the output, for errors.
  package mutating func copy(
    from stream: borrowing FileDescriptor, to output: borrowing FileDescriptor, name: String
  ) throws(NovmError) {
    while true {
      if case .end = InputChunk.read(stream.raw, into: &bytes, limit: 64 << 10) { return }
      let whole = try takeBlocks()
      do throws(Errno) { try output.writeAll(whole) } catch {
        // Who read it has seen enough.
        if error == Errno(EPIPE) { return }
        throw .system(doing: "write", path: name, error)
      }
    }
  }

  /// The blocks that are there as a whole.
  mutating func takeBlocks() throws(NovmError) -> [UInt8] {
    var end = 0
    while bytes.count - end >= Self.blockMinimum {
      let length = bytes[(end + 4)..<(end + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard length >= Self.blockMinimum, length <= Self.blockLimit, length & 3 == 0 else {
        throw .system(doing: "read", path: "the capture", Errno(EPROTO))
      }
      guard bytes.count - end >= length else { break }
      end += length
    }
    let whole = Array(bytes[..<end])
    bytes.removeFirst(end)
    return whole
  }

  /// For tests: what came in, not through a socket.
  mutating func add(_ more: [UInt8]) { bytes += more }
}

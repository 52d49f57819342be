import Glibc
import Host

/// What one read(2) of a descriptor gave.
package enum InputChunk {
  /// So many bytes, at least one.
  case bytes(Int)
  case end
  /// Nothing now.
  case none

  /// - Parameters:
  ///   - bytes: what was read is appended to them.
  ///   - limit: the most bytes to read, at least one.
  package static func read(_ descriptor: Int32, into bytes: inout [UInt8], limit: Int) -> InputChunk {
    var result = 0
    var error = Errno(0)
    bytes.append(addingCapacity: limit) { room in
      unsafe room.withUnsafeMutableBufferPointer { buffer, count in
        // There is room for `limit` bytes behind the `count` that are there.
        result = unsafe Glibc.read(descriptor, buffer.baseAddress! + count, min(limit, buffer.count - count))
        if result < 0 { error = .current }
        count += max(0, result)
      }
    }
    if result > 0 { return .bytes(result) }
    // EIO is a terminal that is gone or not ours; whatever it is, no more input comes.
    return result < 0 && (error == Errno(EAGAIN) || error == Errno(EINTR)) ? .none : .end
  }
}

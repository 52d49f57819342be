import Glibc
import Host

/// What one read(2) of a descriptor gave.
enum InputChunk {
  case bytes([UInt8])
  case end
  /// Nothing now.
  case none

  /// - Parameter limit: the most bytes to read.
  static func read(_ descriptor: Int32, limit: Int) -> InputChunk {
    var failure: Errno?
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      let result = unsafe Glibc.read(descriptor, buffer.baseAddress, limit)
      if result < 0 { failure = .current }
      count = max(0, result)
    }
    switch failure {
    case nil: return bytes.isEmpty ? .end : .bytes(bytes)
    case Errno(EAGAIN), Errno(EINTR): return .none
    // EIO is a terminal that is gone or not ours; whatever it is, no more input comes.
    default: return .end
    }
  }
}

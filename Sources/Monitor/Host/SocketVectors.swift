import CLinux
import Glibc

/// Pieces of memory for one recvmsg(2) or sendmsg(2), held inline so that a transfer allocates nothing.
@safe
package struct SocketVectors: ~Copyable {
  /// More pieces than this go with a further call.
  package static let capacity = 64

  private var vectors = unsafe InlineArray<64, iovec>(repeating: iovec())
  private var used = 0

  package init() {}

  /// Whether no further piece fits.
  package var isFull: Bool { used == Self.capacity }

  /// Adds a piece, which must stay valid until the transfer is done; ignored when full.
  @unsafe package mutating func append(_ piece: UnsafeMutableRawBufferPointer) {
    guard !isFull, piece.count > 0 else { return }
    unsafe vectors[used] = iovec(iov_base: piece.baseAddress, iov_len: piece.count)
    used += 1
  }

  /// recvmsg(2); 0 at the end.
  package mutating func receive(from socket: borrowing FileDescriptor) throws(Errno) -> Int {
    try unsafe transfer(socket.raw) { number, message in unsafe recvmsg(number, message, 0) }
  }

  /// sendmsg(2), without SIGPIPE; may take less than all.
  package mutating func send(to socket: borrowing FileDescriptor) throws(Errno) -> Int {
    try unsafe transfer(socket.raw) { number, message in unsafe sendmsg(number, message, Int32(MSG_NOSIGNAL)) }
  }

  /// As `send`, with bytes of the caller's own before the pieces, for which there must be room.
  package mutating func send(to socket: borrowing FileDescriptor, behind prefix: Span<UInt8>) throws(Errno) -> Int {
    try unsafe prefix.withUnsafeBufferPointer { (bytes) throws(Errno) -> Int in
      for index in (0..<used).reversed() { unsafe vectors[index + 1] = unsafe vectors[index] }
      // sendmsg(2) only reads it.
      unsafe vectors[0] = iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
      used += 1
      return try send(to: socket)
    }
  }

  private mutating func transfer(
    _ number: Int32, _ call: (Int32, UnsafeMutablePointer<msghdr>) -> Int
  ) throws(Errno) -> Int {
    let count = used
    var span = unsafe vectors.mutableSpan
    return try unsafe span.withUnsafeMutableBufferPointer { pieces throws(Errno) -> Int in
      var message = unsafe msghdr()
      unsafe message.msg_iov = pieces.baseAddress
      unsafe message.msg_iovlen = count
      return try retryingInterrupts { unsafe call(number, &message) }
    }
  }
}

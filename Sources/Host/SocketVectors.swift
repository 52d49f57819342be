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

  /// Adds a piece, which must stay valid until the transfer is done; ignored when full.
  @unsafe package mutating func append(_ piece: UnsafeMutableRawBufferPointer) {
    guard used < Self.capacity, piece.count > 0 else { return }
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

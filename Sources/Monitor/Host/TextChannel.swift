import CLinux
import Glibc

/// Where a console's bytes go to and come from: a terminal, a pipe or a file that others may share.
///
/// `O_NONBLOCK` would belong to all who share it (a shell's terminal), so poll(2) is asked before each transfer instead,
/// and no write is longer than what a ready pipe takes at once.
package struct TextChannel: ~Copyable {
  /// PIPE_BUF.
  private static let writeLimit = 4096

  /// The descriptors' numbers, to wait for them.
  package let output: Int32
  package let input: Int32?

  private let outputOwner: FileDescriptor
  private let inputOwner: FileDescriptor?

  package init(output: consuming FileDescriptor, input: consuming FileDescriptor?) {
    if let number = input?.raw { self.input = number } else { self.input = nil }
    self.output = output.raw
    inputOwner = consume input
    outputOwner = consume output
  }

  /// Writes some of `bytes`: how many it took, or nil if it would block. A reader that is gone takes everything.
  package func write(_ bytes: Span<UInt8>) -> Int? {
    guard isReady(output, POLLOUT) else { return nil }
    let number = output
    let count = min(bytes.count, Self.writeLimit)
    let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress, count) }
    if written >= 0 { return written }
    return Errno.current == .wouldBlock || Errno.current == Errno(EINTR) ? nil : bytes.count
  }

  /// Writes a byte, waiting for as long as that takes.
  package func writeBlocking(_ byte: UInt8) {
    var byte = byte
    while unsafe Glibc.write(output, &byte, 1) < 0 {
      let error = Errno.current
      if error == .wouldBlock {
        var wait = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
        _ = unsafe poll(&wait, 1, -1)
      } else if error != Errno(EINTR) {
        return
      }
    }
  }

  /// Reads up to `count` bytes: none if it would block, nil at the end or without an input.
  package func read(count: Int) -> [UInt8]? {
    guard let number = input else { return nil }
    guard isReady(number, POLLIN) else { return [] }
    var bytes = [UInt8](repeating: 0, count: count)
    let length = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(number, $0.baseAddress, $0.count) }
    if length > 0 {
      bytes.removeLast(count - length)
      return bytes
    }
    if length < 0, Errno.current == .wouldBlock || Errno.current == Errno(EINTR) { return [] }
    return nil
  }

  private func isReady(_ number: Int32, _ events: Int32) -> Bool {
    // A hang-up or an error counts: the transfer then says which.
    var state = pollfd(fd: number, events: Int16(events), revents: 0)
    return unsafe poll(&state, 1, 0) == 1
  }
}

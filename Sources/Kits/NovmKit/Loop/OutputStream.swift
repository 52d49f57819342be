import CLinux
import Glibc
import Host

/// A descriptor of the caller's that output goes to, without ever blocking the loop on it.
///
/// The descriptor's own `O_NONBLOCK` is left alone, since it is shared with the shell and other programs. A pipe or a
/// terminal is opened a second time instead; where that is not allowed, so little is written at a time that poll(2)
/// promises it will not block.
package final class OutputStream: CommandOutput {
  private enum Manner {
    /// Writes at most this much once poll(2) says that there is room.
    case chunks(Int)
    /// Writes whenever there is something to write.
    case nonblocking
    /// send(2) with `MSG_DONTWAIT`.
    case socket
  }

  private let descriptor: Int32
  private let reopened: FileDescriptor?
  private let manner: Manner
  private var queue: [[UInt8]] = []
  private var offset = 0

  /// Bytes that wait to be written.
  package private(set) var pending = 0
  /// Nobody reads any more; what is written is dropped.
  package private(set) var isBroken = false
  /// Called once when the stream breaks, with why.
  package var onBreak: (Errno) throws(NovmError) -> Void = { _ in }
  /// Bytes that were dropped since.
  package private(set) var dropped = 0

  /// - Parameter descriptor: stays the caller's.
  package init(_ descriptor: Int32) {
    var status = stat()
    _ = unsafe fstat(descriptor, &status)
    var reopened: Int32 = -1
    switch status.st_mode & S_IFMT {
    case S_IFSOCK:
      manner = .socket
    case S_IFREG:
      manner = .nonblocking
    // Not to be written: another way to it would be.
    case _ where fcntl(descriptor, F_GETFL) & O_ACCMODE == O_RDONLY:
      manner = .nonblocking
    default:
      let flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
      reopened = unsafe clinux_open("/proc/self/fd/\(descriptor)", flags, 0)
      manner = reopened >= 0 ? .nonblocking : .chunks(Self.pipeBuffer)
    }
    self.reopened = reopened >= 0 ? FileDescriptor(owning: reopened) : nil
    self.descriptor = reopened >= 0 ? reopened : descriptor
  }

  /// PIPE_BUF (pipe(7)): a pipe that is writable takes as much.
  private static let pipeBuffer = 4096

  package var interest: PollInterest? { pending == 0 ? nil : PollInterest(descriptor, POLLOUT) }

  /// Writes what can be written now, and the rest when there is room.
  package func write(_ bytes: ArraySlice<UInt8>) throws(NovmError) {
    if isBroken { dropped += bytes.count }
    var rest = bytes
    while pending == 0, !isChunked, !rest.isEmpty, let written = try put(rest) { rest = rest.dropFirst(written) }
    guard !isBroken, !rest.isEmpty else { return }
    queue.append(Array(rest))
    pending += rest.count
  }

  package func ready(_ events: Int32) throws(NovmError) {
    while let bytes = queue.first, let written = try put(bytes[offset...]) {
      pending -= written
      offset += written
      if offset == bytes.count {
        queue.removeFirst()
        offset = 0
      }
      if isChunked { return }
    }
  }

  private var isChunked: Bool { if case .chunks = manner { true } else { false } }

  /// Writes some of the bytes. nil if none can be written now, or ever.
  private func put(_ bytes: ArraySlice<UInt8>) throws(NovmError) -> Int? {
    guard !isBroken else { return nil }
    let written = unsafe bytes.withUnsafeBytes { unsafe put($0.baseAddress!, $0.count) }
    if written >= 0 { return written }
    let error = Errno.current
    if error == Errno(EAGAIN) || error == Errno(EINTR) { return nil }
    // EPIPE, or a disk that is full: the command's output has nowhere to go.
    isBroken = true
    queue = []
    pending = 0
    try onBreak(error)
    return nil
  }

  private func put(_ start: UnsafeRawPointer, _ count: Int) -> Int {
    switch manner {
    case .chunks(let most): unsafe Glibc.write(descriptor, start, min(count, most))
    case .nonblocking: unsafe Glibc.write(descriptor, start, count)
    case .socket: unsafe send(descriptor, start, count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
    }
  }
}

import CLinux
import Glibc

/// A counter that wakes a reader: eventfd(2). Any thread may signal it.
public final class EventFD: @unchecked Sendable {
  private let descriptor: FileDescriptor

  /// - Parameter isBlocking: `drain` waits: one system call for each signal, for a thread that does nothing else.
  public init(isBlocking: Bool = false) throws(Errno) {
    descriptor = FileDescriptor(
      owning: try checked(eventfd(0, Int32(isBlocking ? EFD_CLOEXEC : EFD_CLOEXEC | EFD_NONBLOCK))))
  }

  /// The number, for epoll, io_uring and ioeventfd.
  public var raw: Int32 { descriptor.raw }

  /// Adds one to the counter. A full counter is as good as signalled.
  public func signal() {
    var one: UInt64 = 1
    _ = unsafe Glibc.write(descriptor.raw, &one, 8)
  }

  /// Sets the counter back to zero; false if it was.
  @discardableResult
  public func drain() -> Bool {
    var count: UInt64 = 0
    return unsafe Glibc.read(descriptor.raw, &count, 8) == 8
  }

  /// Blocks until the counter is not zero, then sets it to zero.
  ///
  /// - Parameter milliseconds: how long at most, unless it is a blocking one; -1 for ever.
  /// - Returns: false when the time ran out.
  @discardableResult
  public func wait(milliseconds: Int32 = -1) -> Bool {
    while !drain() {
      var poll = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
      if unsafe Glibc.poll(&poll, 1, milliseconds) == 0 { return drain() }
    }
    return true
  }
}

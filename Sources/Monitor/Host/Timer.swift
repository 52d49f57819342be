import CLinux
import Glibc

/// Calls back once, after a time: timerfd_create(2) on CLOCK_MONOTONIC, on an event loop's thread.
package final class Timer: EventHandler {
  private let descriptor: FileDescriptor
  private let expired: () -> Void

  /// - Parameter isAlways: whether it expires while the loop is held.
  package init(_ loop: EventLoop, isAlways: Bool = false, _ expired: @escaping () -> Void) throws(Errno) {
    descriptor = FileDescriptor(owning: try checked(clinux_timer_create()))
    self.expired = expired
    try loop.add(descriptor.raw, .readable, self, isAlways: isAlways)
  }

  /// Begins anew; what was to come before does not.
  ///
  /// - Parameter nanoseconds: at least one.
  package func start(nanoseconds: UInt64) {
    let nanoseconds = max(nanoseconds, 1)
    _ = clinux_timer_start(
      descriptor.raw, Int(clamping: nanoseconds / 1_000_000_000), Int(nanoseconds % 1_000_000_000))
  }

  package func ready(_ events: EventLoop.Events) {
    var count: UInt64 = 0
    // Nothing to read where it was started anew meanwhile.
    if unsafe read(descriptor.raw, &count, 8) == 8 { expired() }
  }

  /// CLOCK_MONOTONIC, in nanoseconds.
  package static var now: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

import Glibc

/// A point on CLOCK_MONOTONIC, in nanoseconds: the clock that novmm's timings are on too.
package struct MonotonicTime: Comparable, Sendable {
  package var nanoseconds: UInt64

  package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

  /// Before any other.
  static let past = MonotonicTime(nanoseconds: 0)

  package static var now: MonotonicTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return MonotonicTime(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
  }

  package static func after(milliseconds: UInt64) -> MonotonicTime {
    now.advanced(milliseconds: milliseconds)
  }

  func advanced(milliseconds: UInt64) -> MonotonicTime {
    MonotonicTime(nanoseconds: nanoseconds + milliseconds * 1_000_000)
  }

  package static func < (left: MonotonicTime, right: MonotonicTime) -> Bool { left.nanoseconds < right.nanoseconds }

  /// For poll(2): rounded up, so that waiting that long is long enough.
  package var millisecondsFromNow: Int32 {
    let now = Self.now.nanoseconds
    return nanoseconds <= now ? 0 : Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
  }
}

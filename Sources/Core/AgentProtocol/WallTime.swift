/// A reading of `CLOCK_REALTIME` (clock_gettime(2)).
///
///     u64 seconds since 1970, u32 nanoseconds, less than a thousand million
package struct WallTime: Equatable, Comparable, Sendable {
  package var seconds: UInt64
  package var nanoseconds: UInt32

  package init(seconds: UInt64, nanoseconds: UInt32) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  package static func < (left: WallTime, right: WallTime) -> Bool {
    (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
  }

  static let nanosecondsOfASecond: UInt32 = 1_000_000_000
}

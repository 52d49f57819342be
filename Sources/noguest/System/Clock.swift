import CGuest

enum Clock {
  /// clock_gettime(2), `CLOCK_MONOTONIC`, in milliseconds.
  static var milliseconds: Int64 {
    let now = time(CLOCK_MONOTONIC)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  /// clock_gettime(2), `CLOCK_REALTIME`, in seconds since 1970.
  static var wallSeconds: Int64 { Int64(time(CLOCK_REALTIME).tv_sec) }

  /// The beginning of 2025: no kernel that runs this has seen an earlier day.
  static let earliestPlausible: Int64 = 1_735_689_600

  static func sleep(milliseconds: Int64) {
    _ = poll(nil, 0, Int32(clamping: milliseconds))
  }

  static func sleep(seconds: UInt32) {
    let end = milliseconds + Int64(seconds) * 1000
    while milliseconds < end { sleep(milliseconds: end - milliseconds) }
  }

  private static func time(_ clock: Int32) -> timespec {
    var now = timespec()
    _ = unsafe clock_gettime(clock, &now)
    return now
  }
}

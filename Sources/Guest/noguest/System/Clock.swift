import AgentProtocol
import CGuest

enum Clock {
  /// clock_gettime(2), `CLOCK_MONOTONIC`, in milliseconds.
  static var milliseconds: Int64 {
    let now = time(CLOCK_MONOTONIC)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  /// clock_gettime(2), `CLOCK_REALTIME`, in seconds since 1970.
  static var wallSeconds: Int64 { Int64(time(CLOCK_REALTIME).tv_sec) }

  /// Sets `CLOCK_REALTIME` by what the host read some time ago: an earlier reading of ours is wrong for certain, a later
  /// one by a second at least. kvmclock's own start is off by seconds where KVM is emulated.
  static func follow(_ host: WallTime) throws(SystemError) {
    let now = time(CLOCK_REALTIME)
    let ours = WallTime(seconds: UInt64(clamping: now.tv_sec), nanoseconds: UInt32(clamping: now.tv_nsec))
    guard ours < host || ours.seconds > host.seconds &+ 1 else { return }
    guard let seconds = Int(exactly: host.seconds) else { throw SystemError(EINVAL) }
    var time = timespec(tv_sec: time_t(seconds), tv_nsec: Int(host.nanoseconds))
    try check(unsafe clock_settime(CLOCK_REALTIME, &time))
  }

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

import FoundationEssentials
import Glibc

/// A moment of the wall clock to the nanosecond.
package struct LogTime: Comparable, Sendable {
  package var seconds: Int
  package var nanoseconds: Int

  package init(seconds: Int, nanoseconds: Int = 0) {
    self.seconds = seconds
    self.nanoseconds = nanoseconds
  }

  package static var now: LogTime {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return LogTime(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
  }

  package static func < (one: LogTime, other: LogTime) -> Bool {
    (one.seconds, one.nanoseconds) < (other.seconds, other.nanoseconds)
  }

  /// RFC 3339 in UTC, always of 30 bytes: `2016-10-06T00:17:09.669794202Z`.
  package var text: String {
    let digits = String(nanoseconds)
    let whole = Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601).dropLast()
    return "\(whole).\(String(repeating: "0", count: 9 - digits.count))\(digits)Z"
  }

  /// Parses RFC 3339 in UTC, with up to nine digits of a second or none; a date alone is its midnight.
  package init?(_ text: String) {
    let clock = text.hasSuffix("Z") ? text.dropLast() : text[...]
    let pieces = clock.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let whole = (pieces.first ?? "") + (clock.contains("T") ? "Z" : "T00:00:00Z")
    // What the parser lets pass, such as an hour 99, is not what comes out again.
    guard let date = try? Date(String(whole), strategy: .iso8601), date.formatted(.iso8601) == whole else { return nil }
    seconds = Int(date.timeIntervalSince1970)
    nanoseconds = 0
    if pieces.count == 2 {
      let digits = pieces[1]
      guard (1...9).contains(digits.count), let fraction = Int(digits), fraction >= 0 else { return nil }
      nanoseconds = (digits.count..<9).reduce(fraction) { value, _ in value * 10 }
    }
  }
}

import NovmKit

extension Duration {
  /// When so much time has passed from now on; nil for a time that is no limit.
  var deadline: MonotonicTime? {
    let milliseconds = milliseconds
    return milliseconds >= Int64(Int32.max) ? nil : .after(milliseconds: UInt64(max(0, milliseconds)))
  }

  /// Rounded up; what is too long for anybody to wait is some 24 days.
  package var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    if seconds >= Int64(Int32.max) / 1000 { return Int64(Int32.max) }
    if seconds < 0 { return 0 }
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }

  /// No limit.
  public static let forever = Duration.seconds(Int64(Int32.max))
}

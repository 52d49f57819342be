/// Lets bytes through at a rate, and some at once after a pause.
///
/// What passes is counted afterwards, so that nothing ever is too large to pass: it is made up for by waiting longer.
/// The time comes from whoever asks, in nanoseconds of a clock that does not go back.
package struct TokenBucket {
  /// Bytes in a second.
  package static let rateRange: ClosedRange<UInt64> = 1...1 << 34
  /// Bytes at once.
  package static let burstRange: ClosedRange<UInt64> = 1...1 << 30

  private static let second: Int64 = 1_000_000_000

  private let rate: Int64
  private let capacity: Int64
  /// Bytes times nanoseconds, so that no fraction is lost. Below zero for what passed too early.
  private var tokens: Int64
  private var last: UInt64?

  /// - Parameters:
  ///   - rate: within `rateRange`, or what of that is nearest.
  ///   - burst: within `burstRange`, as well.
  package init(rate: UInt64, burst: UInt64) {
    self.rate = Int64(min(max(rate, Self.rateRange.lowerBound), Self.rateRange.upperBound))
    capacity = Int64(min(max(burst, Self.burstRange.lowerBound), Self.burstRange.upperBound)) * Self.second
    tokens = capacity
  }

  /// Nanoseconds until something may pass; 0 if it may now.
  package mutating func wait(at now: UInt64) -> UInt64 {
    refill(at: now)
    return tokens > 0 ? 0 : UInt64(-tokens / rate) + 1
  }

  /// So many bytes passed; no more than 2^30 at once.
  package mutating func take(_ count: Int) {
    let least = Int64.min / 2
    tokens = max(tokens - Int64(min(max(count, 0), 1 << 30)) * Self.second, least)
  }

  private mutating func refill(at now: UInt64) {
    guard let last, now > last else {
      self.last = self.last ?? now
      return
    }
    self.last = now
    let elapsed = now - last
    // Both sums stay within what is missing and one nanosecond's worth.
    let untilFull = UInt64((capacity - tokens) / rate)
    tokens = elapsed > untilFull ? capacity : tokens + Int64(elapsed) * rate
  }
}

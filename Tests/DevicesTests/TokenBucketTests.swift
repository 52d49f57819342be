import Testing

@testable import Devices

struct TokenBucketTests {
  private static let second: UInt64 = 1_000_000_000

  @Test func burstThenRate() {
    var bucket = TokenBucket(rate: 1000, burst: 500)
    #expect(bucket.wait(at: 5) == 0)
    bucket.take(500)
    // The next byte comes in a thousandth of a second.
    #expect(bucket.wait(at: 5) == 1)
    bucket.take(250)
    let wait = bucket.wait(at: 5)
    #expect(wait == Self.second / 4 + 1)
    #expect(bucket.wait(at: 4 + wait) > 0)
    #expect(bucket.wait(at: 5 + wait) == 0)
  }

  @Test func pausesFillNoMoreThanTheBurst() {
    var bucket = TokenBucket(rate: 1000, burst: 500)
    _ = bucket.wait(at: 0)
    bucket.take(100)
    _ = bucket.wait(at: 3600 * Self.second)
    bucket.take(500)
    #expect(bucket.wait(at: 3600 * Self.second) > 0)
  }

  @Test(arguments: [1, 7, 1000, 1_000_003, 1 << 34] as [UInt64], [1, 64 << 10, 1 << 30] as [UInt64])
  func lettingThroughAsFastAsMayBeKeepsTheRate(_ rate: UInt64, _ burst: UInt64) {
    var bucket = TokenBucket(rate: rate, burst: burst)
    let frame = Int(min(max(rate / 100, 1), 65_000))
    var now: UInt64 = 1 << 60
    let begin = now
    var passed: UInt64 = 0
    for _ in 0..<2_000 {
      let wait = bucket.wait(at: now)
      now += wait
      if wait > 0 { #expect(bucket.wait(at: now) == 0) }
      bucket.take(frame)
      passed += UInt64(frame)
    }
    let most = burst + UInt64(Double(now - begin) / 1e9 * Double(rate)) + 2 * UInt64(frame)
    #expect(passed <= most)
    // Each wait is rounded up to a nanosecond, in which some may flow over.
    let lost = 2_000 * (rate >> 29)
    if passed > 2 * burst { #expect(passed + UInt64(frame) + 2 * burst + lost >= most) }
  }

  @Test func extremes() {
    var bucket = TokenBucket(rate: .max, burst: .max)
    _ = bucket.wait(at: 0)
    for _ in 0..<100 { bucket.take(.max) }
    bucket.take(-1)
    let wait = bucket.wait(at: 1)
    #expect(wait > 0)
    #expect(bucket.wait(at: .max) == 0)
    #expect(bucket.wait(at: 0) == 0)
    var slow = TokenBucket(rate: 0, burst: 0)
    _ = slow.wait(at: 0)
    for _ in 0..<100 { slow.take(1 << 30) }
    #expect(slow.wait(at: 1) > Self.second)
  }
}

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

  /// As long as no wake-up comes later than the burst takes, none of them costs anything; and at no time more passes than
  /// the rate and the burst.
  @Test(arguments: [60, 1500, 64_000])
  func wakingUpLate(_ frame: Int) {
    let (rate, burst) = (1_000_000, 10_000)
    var bucket = TokenBucket(rate: UInt64(rate), burst: UInt64(burst))
    let begin: UInt64 = 1 << 50
    var now = begin
    var passed = 0
    // The most of what was owed at any time: passed bytes less the rate's.
    var least = 0
    var state: UInt64 = 1
    for _ in 0..<5_000 {
      let wait = bucket.wait(at: now)
      if wait > 0 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Up to 9 milliseconds, of the 10 that the burst takes.
        now += wait + state >> 33 % 9_000_000
        continue
      }
      let ahead = passed - Int(now - begin) / (1_000_000_000 / rate)
      least = min(least, ahead)
      bucket.take(frame)
      passed += frame
      #expect(ahead + frame - least <= burst + frame)
    }
    let seconds = Double(now - begin) / 1e9
    #expect(Double(passed) >= seconds * Double(rate) - Double(burst))
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

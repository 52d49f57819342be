import Devices
import GuestMemory
import Host

/// Random bytes from the host's kernel.
final class HostEntropy: EntropySource {
  func isReady(_ resume: @escaping () -> Void) -> Bool { true }

  func fill(_ slice: GuestSlice) -> Int { slice.copy(from: RandomBytes.make(slice.count)) }
}

/// No more of them than so many in a second. On the event loop's thread.
final class RateLimitedEntropy: EntropySource {
  private let source: any EntropySource
  private var bucket: TokenBucket
  private var timer: Timer?
  private var resume: (() -> Void)?

  /// - Parameter rate: bytes in a second; a tenth of that at once after a pause.
  init(_ source: any EntropySource, rate: Int, loop: EventLoop) throws(Errno) {
    self.source = source
    bucket = TokenBucket(rate: UInt64(rate), burst: UInt64(max(rate / 10, 1)))
    timer = try Timer(loop) { [unowned self] in
      let resume = self.resume
      self.resume = nil
      resume?()
    }
  }

  func isReady(_ resume: @escaping () -> Void) -> Bool {
    let wait = bucket.wait(at: Timer.now)
    guard wait > 0 else { return true }
    // Already to come where a driver notifies though it was asked not to.
    if self.resume == nil { timer?.start(nanoseconds: wait) }
    self.resume = resume
    return false
  }

  func fill(_ slice: GuestSlice) -> Int {
    let count = source.fill(slice)
    bucket.take(count)
    return count
  }
}

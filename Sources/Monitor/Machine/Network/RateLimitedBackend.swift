import Devices
import GuestMemory
import Host

/// A link that lets only so much through in a second, in each direction. On the event loop's thread, as what it limits.
final class RateLimitedBackend: NetworkBackend {
  /// Shorter waits are not worth their wake-ups; what they would have let through comes with the next frames.
  private static let leastWait: UInt64 = 1_000_000
  /// What the rate lets through in a hundredth of a second may always pass at once: with less, what is missed by waking up
  /// late could not be made up for, and the rate never be reached (tc-tbf(8), `burst`).
  private static let wakeUpsPerSecond: UInt64 = 100

  private let link: any NetworkBackend
  private let pairs: Int
  private var received: TokenBucket
  private var sent: TokenBucket
  private var receiveTimer: Timer?
  private var sendTimer: Timer?
  private var isReceiveWaiting = false
  private var isSendWaiting = false

  /// The device that it belongs to, which is made after it.
  var device: NetworkDevice?

  init(_ link: any NetworkBackend, pairs: Int, rate: UInt64, burst: UInt64, loop: EventLoop) throws(Errno) {
    self.link = link
    self.pairs = pairs
    let burst = max(burst, rate / Self.wakeUpsPerSecond)
    received = TokenBucket(rate: rate, burst: burst)
    sent = TokenBucket(rate: rate, burst: burst)
    receiveTimer = try Timer(loop) { [self] in resumeReceiving() }
    sendTimer = try Timer(loop) { [self] in resumeSending() }
  }

  var offloads: NetworkOffloads { link.offloads }

  func setReceiveOffloads(_ offloads: NetworkOffloads) { link.setReceiveOffloads(offloads) }
  func setActivePairs(_ count: Int) { link.setActivePairs(count) }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    if isReceiveWaiting { return .blocked }
    let wait = received.wait(at: Timer.now)
    if wait > 0 {
      isReceiveWaiting = true
      receiveTimer?.start(nanoseconds: max(wait, Self.leastWait))
      return .blocked
    }
    let transfer = link.receive(pair: pair, into: slices)
    if case .moved(let count) = transfer { received.take(count - NetworkHeader.size) }
    return transfer
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    link.copyReceived(pair: pair, from: offset, into: slices)
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    if isSendWaiting { return .blocked }
    let wait = sent.wait(at: Timer.now)
    if wait > 0 {
      isSendWaiting = true
      sendTimer?.start(nanoseconds: max(wait, Self.leastWait))
      return .blocked
    }
    let transfer = link.send(pair: pair, slices)
    if case .moved(let count) = transfer { sent.take(count - NetworkHeader.size) }
    return transfer
  }

  private func resumeReceiving() {
    isReceiveWaiting = false
    for pair in 0..<pairs { device?.readable(pair: pair) }
  }

  private func resumeSending() {
    isSendWaiting = false
    for pair in 0..<pairs { device?.writable(pair: pair) }
  }
}

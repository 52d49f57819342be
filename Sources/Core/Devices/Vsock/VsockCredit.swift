/// The flow control of one stream, both ways (Virtio 1.2, 5.10.6.3). Counters are free-running and wrap.
struct VsockCredit {
  // MARK: From the guest

  /// Bytes that the guest may have under way to us: our `buf_alloc`.
  let allocation: UInt32
  /// Bytes that the guest has sent.
  private(set) var received: UInt32 = 0
  /// Bytes of these that the host has taken: our `fwd_cnt`.
  private(set) var forwarded: UInt32 = 0
  /// `forwarded` as the guest last heard it.
  private(set) var announced: UInt32 = 0

  // MARK: To the guest

  /// Bytes that we have sent.
  private(set) var sent: UInt32 = 0
  private(set) var peerAllocation: UInt32 = 0
  private(set) var peerForwarded: UInt32 = 0

  init(allocation: UInt32) { self.allocation = allocation }

  /// Takes in `buf_alloc` and `fwd_cnt` of a packet.
  ///
  /// - Returns: false if the guest says that it took more than it was sent.
  mutating func hear(allocation: UInt32, forwarded: UInt32) -> Bool {
    peerAllocation = allocation
    let inFlight = sent &- forwarded
    if inFlight <= sent &- peerForwarded {
      peerForwarded = forwarded
      return true
    }
    // An older count than the last one may come late, one from the future may not.
    return inFlight < 1 << 31
  }

  /// Bytes that may be sent to the guest now. A guest that shrinks its buffer below what is under way gets none.
  var sendable: UInt32 {
    let inFlight = sent &- peerForwarded
    return peerAllocation > inFlight ? peerAllocation &- inFlight : 0
  }

  mutating func send(_ count: Int) { sent &+= UInt32(truncatingIfNeeded: count) }

  /// Takes in data of the guest; false if that was more than it had credit for.
  mutating func receive(_ count: UInt32) -> Bool {
    guard count <= allocation &- (received &- forwarded) else { return false }
    received &+= count
    return true
  }

  mutating func forward(_ count: Int) { forwarded &+= UInt32(truncatingIfNeeded: count) }

  /// `fwd_cnt` for a packet to the guest.
  mutating func announce() -> UInt32 {
    announced = forwarded
    return forwarded
  }

  /// Whether the guest's idea of its credit lags by half: early enough that it need not stop, seldom enough to be cheap.
  var isAnnouncementDue: Bool { forwarded &- announced >= allocation / 2 }
}

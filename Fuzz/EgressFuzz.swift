import Egress

/// Frames from either side, one after the other: none that is not granted passes, and an answer is a frame for the guest. Before
/// anything has come from the link, no name has an address, so that only the range and the name server are reached.
///
/// The first byte of each frame says its side and how long it is, in steps of eight bytes.
@c(LLVMFuzzerTestOneInput)
public func testOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe UnsafeBufferPointer(start: data, count: size).span
  var grants = GrantList(isClosed: true)
  for text in ["example.org:443", "*.example.net", "192.0.2.0/24:80/tcp"] {
    guard let grant = Grant(Array(text.utf8)) else { preconditionFailure("a grant") }
    _ = grants.allow(grant)
  }
  let card = EgressFilter.Card(
    hardwareAddress: 0x0200_0000_0001, address: IPv4Address(0x0a00_020f), prefixLength: 24,
    resolvers: [IPv4Address(0x0a00_0203)])
  var refusals = 0
  var filter = EgressFilter(card, grants) { refusal in
    precondition(!refusal.text.isEmpty)
    refusals += 1
  }
  var at = 0
  var hasHeard = false
  var now: UInt64 = 1
  while at < size {
    let control = input[at]
    let end = min(at + 1 + Int(control & 0x7f) * 8, size)
    let frame = input.extracting(at + 1..<end)
    at = end
    now += 1 << 27
    if control & 0x80 != 0 {
      hasHeard = true
      _ = filter.inbound(frame, now: now)
      continue
    }
    switch filter.outbound(frame, now: now) {
    case .drop: break
    case .answer(let answer): precondition(answer.count >= 34 && answer.count <= frame.count + 64)
    case .pass:
      // ARP or IPv4 of the card's own.
      precondition(frame.count >= 34 && frame[12] == 8 && (frame[13] == 0 || frame[13] == 6))
      precondition(frame[6] == 2 && frame[11] == 1)
      if frame[13] == 0 { check(frame, hasHeard: hasHeard) }
    }
  }
  precondition(refusals <= 513)
  return 0
}

/// An IPv4 packet that passed.
private func check(_ frame: Span<UInt8>, hasHeard: Bool) {
  let server = (30..<34).map { frame[$0] }
  let port = Int(frame[36]) << 8 | Int(frame[37])
  switch frame[23] {
  case 6: precondition(hasHeard || server.starts(with: [192, 0, 2]) && port == 80)
  case 17: precondition(hasHeard || server == [10, 0, 2, 3] && port == 53)
  // No address is granted whole.
  default: preconditionFailure("protocol \(frame[23])")
  }
}

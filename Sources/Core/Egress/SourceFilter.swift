/// Whether what a guest sends is from its own card and its own addresses: against forged senders, forged answers to ARP (RFC 826)
/// and neighbour discovery (RFC 4861), and routers that are none.
package struct SourceFilter {
  private let hardwareAddress: UInt64
  private let addresses: [IPv4Address]
  /// Sixteen bytes each.
  private let addresses6: [[UInt8]]
  /// The second half of addresses that are made of the card's own (RFC 4291, appendix A), as Linux makes that of its link, and
  /// others where a router tells the first half.
  private let interface: [UInt8]

  /// Bytes of a frame that are looked at.
  package static let headSize = 128

  private static let size6 = 16

  /// - Parameter addresses: of four or sixteen bytes each; others are none.
  package init(hardwareAddress: UInt64, addresses: [[UInt8]]) {
    self.hardwareAddress = hardwareAddress
    self.addresses = addresses.filter { $0.count == 4 }.map { bytes in
      IPv4Address(bytes.reduce(0) { $0 << 8 | UInt32($1) })
    }
    var interface: [UInt8] = []
    for shift in [40, 32, 24, 16, 8, 0] as [UInt64] {
      interface.append(UInt8(truncatingIfNeeded: hardwareAddress >> shift) ^ (shift == 40 ? 2 : 0))
      if shift == 24 { interface += [0xff, 0xfe] }
    }
    self.interface = interface
    addresses6 = addresses.filter { $0.count == Self.size6 }
  }

  /// - Parameter head: the beginning of a frame, which nobody changes any more: all of it, or `headSize` bytes.
  package func accepts(_ head: Span<UInt8>) -> Bool {
    guard let ethernet = EthernetFrame(head), ethernet.source == hardwareAddress else { return false }
    switch ethernet.kind {
    case EthernetFrame.ipv4:
      guard let source = head.number(UInt32.self, at: EthernetFrame.headerSize + 12) else { return false }
      return addresses.contains(IPv4Address(source))
    case EthernetFrame.arp: return acceptsARP(head)
    case EthernetFrame.ipv6: return acceptsIPv6(head)
    // A tag would hide what is behind it.
    default: return false
    }
  }

  private func acceptsARP(_ head: Span<UInt8>) -> Bool {
    guard head.number(UInt32.self, at: 14) == 0x0001_0800, head.number(UInt16.self, at: 18) == 0x0604,
      let high = head.number(UInt32.self, at: 22), let low = head.number(UInt16.self, at: 26),
      UInt64(high) << 16 | UInt64(low) == hardwareAddress, let sender = head.number(UInt32.self, at: 28),
      head.count >= 42
    else { return false }
    // Who asks whether an address is taken has none (RFC 5227).
    return sender == 0 || addresses.contains(IPv4Address(sender))
  }

  private func acceptsIPv6(_ head: Span<UInt8>) -> Bool {
    let start = EthernetFrame.headerSize
    guard head.count >= start + 40, let next = head.number(UInt8.self, at: start + 6) else { return false }
    let source = head.bytes(start + 8..<start + 24)
    // As above (RFC 4862, 5.4.2), and only to look for others.
    let hasNone = source.allSatisfy { $0 == 0 }
    guard hasNone || isOwn(source) else { return false }
    let body = start + 40
    switch next {
    case 6, 17, 44: return !hasNone  // TCP, UDP, fragments, in which neighbour discovery is ignored (RFC 6980)
    case 58: return acceptsICMP(head, at: body)
    case 0:  // hop by hop: a listener's report alone (RFC 3810, 5)
      guard head.number(UInt8.self, at: body) == 58, let words = head.number(UInt8.self, at: body + 1),
        let kind = head.number(UInt8.self, at: body + 8 + 8 * Int(words))
      else { return false }
      return (130...132).contains(kind) || kind == 143
    default: return false
    }
  }

  private func isOwn(_ address: [UInt8]) -> Bool {
    addresses6.contains(address) || address[0] != 0xff && address[8...].elementsEqual(interface)
  }

  /// Neighbour discovery tells the card's own addresses, and all of it is seen: an option behind the head could tell others.
  private func acceptsICMP(_ head: Span<UInt8>, at body: Int) -> Bool {
    guard let kind = head.number(UInt8.self, at: body),
      let length = head.number(UInt16.self, at: EthernetFrame.headerSize + 4)
    else { return false }
    let isWhole = body + Int(length) <= head.count
    switch kind {
    case 134, 137: return false  // a router's, and its redirection
    case 133, 135: return isWhole && acceptsOptions(head, from: body + (kind == 133 ? 8 : 24))
    case 136:
      guard isWhole, head.count >= body + 24, isOwn(head.bytes(body + 8..<body + 24)) else { return false }
      return acceptsOptions(head, from: body + 24)
    default: return true
    }
  }

  /// A link-layer address among the options is the card's.
  private func acceptsOptions(_ head: Span<UInt8>, from start: Int) -> Bool {
    var at = start
    while at < head.count {
      guard let kind = head.number(UInt8.self, at: at), let words = head.number(UInt8.self, at: at + 1), words > 0
      else {
        // Padding of the frame.
        return head.number(UInt8.self, at: at) == 0
      }
      if kind == 1 || kind == 2 {
        guard words == 1, let high = head.number(UInt32.self, at: at + 2),
          let low = head.number(UInt16.self, at: at + 6), UInt64(high) << 16 | UInt64(low) == hardwareAddress
        else { return false }
      }
      at += 8 * Int(words)
    }
    return true
  }
}

/// A packet of IPv4 in an Ethernet frame (RFC 791): whole, and without options, which nothing of today sends.
struct IPv4Packet {
  let source: IPv4Address
  let destination: IPv4Address
  let kind: UInt8
  /// In the frame. What is behind it is padding.
  let payload: Range<Int>

  static let icmp: UInt8 = 1
  static let tcp: UInt8 = 6
  static let udp: UInt8 = 17
  static let headerSize = 20

  /// - Parameter offset: where it begins in the bytes.
  init?(_ frame: Span<UInt8>, at offset: Int = EthernetFrame.headerSize) {
    guard let first = frame.number(UInt8.self, at: offset), first == 0x45,
      let length = frame.number(UInt16.self, at: offset + 2), Int(length) >= Self.headerSize,
      let fragment = frame.number(UInt16.self, at: offset + 6), fragment & 0xbfff == 0,
      let kind = frame.number(UInt8.self, at: offset + 9), let source = frame.number(UInt32.self, at: offset + 12),
      let destination = frame.number(UInt32.self, at: offset + 16), offset + Int(length) <= frame.count
    else { return nil }
    self.source = IPv4Address(source)
    self.destination = IPv4Address(destination)
    self.kind = kind
    payload = offset + Self.headerSize..<offset + Int(length)
  }
}

/// The header of an Ethernet frame.
struct EthernetFrame {
  let destination: UInt64
  let source: UInt64
  let kind: UInt16

  static let headerSize = 14
  static let ipv4: UInt16 = 0x0800
  static let arp: UInt16 = 0x0806
  static let ipv6: UInt16 = 0x86dd

  init?(_ frame: Span<UInt8>) {
    guard let high = frame.number(UInt32.self, at: 0), let low = frame.number(UInt16.self, at: 4),
      let sourceHigh = frame.number(UInt32.self, at: 6), let sourceLow = frame.number(UInt16.self, at: 10),
      let kind = frame.number(UInt16.self, at: 12)
    else { return nil }
    destination = UInt64(high) << 16 | UInt64(low)
    source = UInt64(sourceHigh) << 16 | UInt64(sourceLow)
    self.kind = kind
  }
}

/// Ports, and what of TCP matters here (RFC 9293, 3.1).
struct TCPSegment {
  let source: UInt16
  let destination: UInt16
  let sequence: UInt32
  let acknowledgement: UInt32
  let flags: UInt8
  let data: Range<Int>

  static let fin: UInt8 = 1
  static let syn: UInt8 = 2
  static let reset: UInt8 = 4
  static let ack: UInt8 = 16

  init?(_ frame: Span<UInt8>, _ packet: IPv4Packet) {
    let start = packet.payload.lowerBound
    guard packet.kind == IPv4Packet.tcp, packet.payload.count >= 20, let source = frame.number(UInt16.self, at: start),
      let destination = frame.number(UInt16.self, at: start + 2),
      let sequence = frame.number(UInt32.self, at: start + 4),
      let acknowledgement = frame.number(UInt32.self, at: start + 8),
      let words = frame.number(UInt8.self, at: start + 12), let flags = frame.number(UInt8.self, at: start + 13)
    else { return nil }
    let header = Int(words >> 4) * 4
    guard header >= 20, header <= packet.payload.count else { return nil }
    self.source = source
    self.destination = destination
    self.sequence = sequence
    self.acknowledgement = acknowledgement
    self.flags = flags
    data = start + header..<packet.payload.upperBound
  }
}

/// RFC 768.
struct UDPDatagram {
  let source: UInt16
  let destination: UInt16
  let data: Range<Int>

  init?(_ frame: Span<UInt8>, _ packet: IPv4Packet) {
    let start = packet.payload.lowerBound
    guard packet.kind == IPv4Packet.udp, packet.payload.count >= 8, let source = frame.number(UInt16.self, at: start),
      let destination = frame.number(UInt16.self, at: start + 2), let length = frame.number(UInt16.self, at: start + 4),
      Int(length) == packet.payload.count
    else { return nil }
    self.source = source
    self.destination = destination
    data = start + 8..<packet.payload.upperBound
  }
}

/// Frames by which a guest is told at once that what it asked for is refused, as if a router or the server said so.
enum EgressReply {
  /// Back to where a frame came from.
  private static func frame(to request: Span<UInt8>, _ packet: IPv4Packet, kind: UInt8, _ payload: [UInt8]) -> [UInt8] {
    var frame = request.bytes(6..<12) + request.bytes(0..<6)
    // Linux takes no packet that a group address has sent.
    frame[6] &= 0xfe
    frame.append(number: EthernetFrame.ipv4)
    var header: [UInt8] = [0x45, 0]
    header.append(number: UInt16(IPv4Packet.headerSize + payload.count))
    header += [0, 0, 0x40, 0, 64, kind, 0, 0]  // may not be cut; 64 hops
    header.append(number: packet.destination.value)
    header.append(number: packet.source.value)
    header.put(number: header.checksum(from: 0), at: 10)
    return frame + header + payload
  }

  /// The sum of what a checksum of TCP or UDP covers besides (RFC 9293, 3.1).
  private static func pseudoHeader(_ packet: IPv4Packet, _ kind: UInt8, _ count: Int) -> UInt32 {
    let addresses = [packet.source.value, packet.destination.value]
    return addresses.reduce(UInt32(kind) + UInt32(count)) { $0 &+ $1 >> 16 &+ $1 & 0xffff }
  }

  /// The connection is reset (RFC 9293, 3.5.2).
  static func reset(_ request: Span<UInt8>, _ packet: IPv4Packet, _ segment: TCPSegment) -> [UInt8]? {
    guard segment.flags & TCPSegment.reset == 0 else { return nil }
    var payload: [UInt8] = []
    payload.append(number: segment.destination)
    payload.append(number: segment.source)
    let isAcknowledging = segment.flags & TCPSegment.ack != 0
    payload.append(number: isAcknowledging ? segment.acknowledgement : UInt32(0))
    let ends = segment.flags & (TCPSegment.syn | TCPSegment.fin) == 0 ? 0 : 1
    payload.append(number: segment.sequence &+ UInt32(segment.data.count + ends))
    payload += [0x50, TCPSegment.reset | TCPSegment.ack, 0, 0, 0, 0, 0, 0]
    payload.put(
      number: payload.checksum(from: 0, sum: pseudoHeader(packet, IPv4Packet.tcp, payload.count)), at: 16)
    return frame(to: request, packet, kind: IPv4Packet.tcp, payload)
  }

  static func datagram(_ request: Span<UInt8>, _ packet: IPv4Packet, _ asked: UDPDatagram, _ data: [UInt8]) -> [UInt8] {
    var payload: [UInt8] = []
    payload.append(number: asked.destination)
    payload.append(number: asked.source)
    payload.append(number: UInt16(truncatingIfNeeded: 8 + data.count))
    payload += [0, 0] + data
    let sum = payload.checksum(from: 0, sum: pseudoHeader(packet, IPv4Packet.udp, payload.count))
    payload.put(number: sum == 0 ? 0xffff : sum, at: 6)
    return frame(to: request, packet, kind: IPv4Packet.udp, payload)
  }

  /// Destination unreachable, communication administratively prohibited (RFC 1812, 5.2.7.1).
  static func prohibited(_ request: Span<UInt8>, _ packet: IPv4Packet) -> [UInt8] {
    let start = EthernetFrame.headerSize
    var payload: [UInt8] = [3, 13, 0, 0, 0, 0, 0, 0]
    payload += request.bytes(start..<min(packet.payload.lowerBound + 8, packet.payload.upperBound))
    payload.put(number: payload.checksum(from: 0), at: 2)
    return frame(to: request, packet, kind: IPv4Packet.icmp, payload)
  }
}

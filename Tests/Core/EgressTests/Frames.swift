@testable import Egress

/// Frames as a guest, or a link, sends them.
struct Frames {
  static let guest = IPv4Address(0x0a00_020f)
  static let resolver = IPv4Address(0x0a00_0203)
  static let card: UInt64 = 0x0200_0000_0001
  static let gateway: UInt64 = 0x5255_0a00_0202

  static func ethernet(_ kind: UInt16, _ payload: [UInt8], isInbound: Bool = false, from: UInt64 = card) -> [UInt8] {
    var frame: [UInt8] = []
    for address in isInbound ? [card, gateway] : [gateway, from] {
      frame.append(number: UInt16(address >> 32))
      frame.append(number: UInt32(truncatingIfNeeded: address))
    }
    frame.append(number: kind)
    return frame + payload
  }

  static func ip(
    _ kind: UInt8, _ payload: [UInt8], to remote: IPv4Address, isInbound: Bool = false, from: IPv4Address = guest,
    fragment: UInt16 = 0x4000, first: UInt8 = 0x45
  ) -> [UInt8] {
    var packet: [UInt8] = [first, 0]
    packet.append(number: UInt16(20 + payload.count))
    packet += [0, 0]
    packet.append(number: fragment)
    packet += [64, kind, 0, 0]
    packet.append(number: isInbound ? remote.value : from.value)
    packet.append(number: isInbound ? from.value : remote.value)
    return ethernet(0x0800, packet + payload, isInbound: isInbound)
  }

  static func tcp(
    _ remote: IPv4Address, _ port: UInt16, _ flags: UInt8, sequence: UInt32 = 1000, acknowledgement: UInt32 = 0,
    _ data: [UInt8] = [], isInbound: Bool = false, guestPort: UInt16 = 40000
  ) -> [UInt8] {
    var segment: [UInt8] = []
    segment.append(number: isInbound ? port : guestPort)
    segment.append(number: isInbound ? guestPort : port)
    segment.append(number: sequence)
    segment.append(number: acknowledgement)
    segment += [0x50, flags, 255, 255, 0, 0, 0, 0]
    return ip(6, segment + data, to: remote, isInbound: isInbound)
  }

  static func udp(
    _ remote: IPv4Address, _ port: UInt16, _ data: [UInt8], isInbound: Bool = false, guestPort: UInt16 = 50000
  ) -> [UInt8] {
    var datagram: [UInt8] = []
    datagram.append(number: isInbound ? port : guestPort)
    datagram.append(number: isInbound ? guestPort : port)
    datagram.append(number: UInt16(8 + data.count))
    datagram += [0, 0]
    return ip(17, datagram + data, to: remote, isInbound: isInbound)
  }

  static func name(_ text: String) -> [UInt8] {
    text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
  }

  static func question(_ text: String, kind: UInt16 = 1, identifier: UInt16 = 7, options: [UInt8] = []) -> [UInt8] {
    var message: [UInt8] = []
    message.append(number: identifier)
    message += [1, 0, 0, 1, 0, 0, 0, 0, 0, options.isEmpty ? 0 : 1]
    message += name(text)
    message.append(number: kind)
    return message + [0, 1] + options
  }

  /// Records by owner, kind, time and data.
  static func answer(
    _ text: String, _ records: [(owner: [UInt8], kind: UInt16, seconds: UInt32, data: [UInt8])], identifier: UInt16 = 7
  ) -> [UInt8] {
    var message: [UInt8] = []
    message.append(number: identifier)
    message += [0x81, 0x80, 0, 1, 0, UInt8(records.count), 0, 0, 0, 0]
    message += name(text) + [0, 1, 0, 1]
    for record in records {
      message += record.owner
      message.append(number: record.kind)
      message += [0, 1]
      message.append(number: record.seconds)
      message.append(number: UInt16(record.data.count))
      message += record.data
    }
    return message
  }

  static func bytes(_ address: IPv4Address) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(number: address.value)
    return bytes
  }

  /// A ClientHello in a record, or in records of so many bytes.
  static func hello(_ name: String?, hidden: Bool = false, recordSize: Int = 16384) -> [UInt8] {
    var extensions: [UInt8] = [0, 43, 0, 3, 2, 3, 4]
    if let name {
      let text = Array(name.utf8)
      extensions += [0, 0]
      extensions.append(number: UInt16(text.count + 5))
      extensions.append(number: UInt16(text.count + 3))
      extensions.append(0)
      extensions.append(number: UInt16(text.count))
      extensions += text
    }
    if hidden { extensions += [0xfe, 0x0d, 0, 2, 1, 2] }
    var body: [UInt8] = [3, 3] + [UInt8](repeating: 9, count: 32) + [0, 0, 2, 0x13, 1, 1, 0]
    body.append(number: UInt16(extensions.count))
    body += extensions
    let message = [1, 0, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
    var stream: [UInt8] = []
    var at = 0
    while at < message.count {
      let piece = message[at..<min(at + recordSize, message.count)]
      stream += [22, 3, 1]
      stream.append(number: UInt16(piece.count))
      stream += piece
      at += piece.count
    }
    return stream
  }
}

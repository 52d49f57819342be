import LittleEndian

/// Blocks of a pcapng file (draft-ietf-opsawg-pcapng), little-endian, of one Ethernet interface with times in nanoseconds.
enum PacketCaptureFormat {
  /// As seen from the guest's card.
  enum Direction: UInt32 {
    case inbound = 1
    case outbound = 2
  }

  /// What a file begins with: a section header (4.1) and an interface description (4.2).
  static func header(interface name: String) -> [UInt8] {
    var section = Block(0x0A0D_0D0A)
    section.append(0x1A2B_3C4D)
    // Version 1.0, and a section of a length that is not known.
    section.append(1)
    section.append(.max)
    section.append(.max)
    section.append(option: 4, Array("novmm".utf8))
    section.endOptions()
    var interface = Block(1)
    // LINKTYPE_ETHERNET; no limit of what is captured of a packet.
    interface.append(1)
    interface.append(0)
    interface.append(option: 2, Array(name.utf8))
    // if_tsresol: 10^-9 seconds.
    interface.append(option: 9, [9])
    interface.endOptions()
    return section.bytes + interface.bytes
  }

  /// An enhanced packet (4.3).
  ///
  /// - Parameters:
  ///   - time: in nanoseconds since 1970.
  ///   - length: of the packet, of which `data` is all or the beginning.
  ///   - lost: how many packets before this one are missing.
  static func packet(_ data: [UInt8], length: Int, at time: UInt64, _ direction: Direction, lost: UInt64) -> [UInt8] {
    var block = Block(6)
    block.append(0)
    block.append(UInt32(truncatingIfNeeded: time >> 32))
    block.append(UInt32(truncatingIfNeeded: time))
    block.append(UInt32(data.count))
    block.append(UInt32(length))
    block.append(padded: data)
    block.append(option: 2, littleEndian(direction.rawValue))
    if lost > 0 {
      block.append(option: 4, littleEndian(UInt32(truncatingIfNeeded: lost)) + littleEndian(UInt32(lost >> 32)))
    }
    block.endOptions()
    return block.bytes
  }

  /// Type, total length, body, total length once more.
  private struct Block {
    private let type: UInt32
    private var body: [UInt8] = []

    init(_ type: UInt32) { self.type = type }

    mutating func append(_ value: UInt32) { body += littleEndian(value) }

    mutating func append(padded data: [UInt8]) {
      body += data
      body += [UInt8](repeating: 0, count: -body.count & 3)
    }

    /// An option (3.5), of fewer bytes than 64 Ki.
    mutating func append(option code: UInt16, _ value: [UInt8]) {
      append(UInt32(code) | UInt32(value.count) << 16)
      append(padded: value)
    }

    mutating func endOptions() { append(0) }

    var bytes: [UInt8] {
      let length = littleEndian(UInt32(body.count + 12))
      return littleEndian(type) + length + body + length
    }
  }
}

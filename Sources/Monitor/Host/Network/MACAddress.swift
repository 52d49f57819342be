/// An Ethernet address.
package struct MACAddress: Equatable, Hashable, Sendable, CustomStringConvertible {
  /// Six of them.
  package let bytes: [UInt8]

  /// Reads `02:00:5e:10:00:01`; nil for anything else, and for what no card can have: a group's address, or nothing but
  /// zeros.
  package init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    var bytes: [UInt8] = []
    for part in parts {
      guard part.utf8.count == 2, part.first != "+", let byte = UInt8(part, radix: 16) else { return nil }
      bytes.append(byte)
    }
    guard bytes.count == 6, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 }) else { return nil }
    self.bytes = bytes
  }

  /// One of those that anybody may give out, by chance.
  package static func random() -> MACAddress {
    var bytes = RandomBytes.make(6)
    // As the kernel's eth_random_addr(): local, not a group's.
    bytes[0] = bytes[0] & 0xfe | 0x02
    return MACAddress(bytes)
  }

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var description: String {
    bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined(separator: ":")
  }
}

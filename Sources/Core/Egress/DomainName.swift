/// A name of the domain name system's: labels with dots between them, in lower case, without the dot at its end.
package struct DomainName: Hashable, Sendable {
  package let bytes: [UInt8]

  /// RFC 1035, 2.3.4, less the first length and the last one.
  static let maximumLength = 253

  /// Nil unless it is one that a host can have: letters, digits, hyphens and underscores, labels of 1 to 63 bytes.
  package init?(_ text: some Collection<UInt8>) {
    var bytes: [UInt8] = []
    var label = 0
    for byte in text {
      guard bytes.count < Self.maximumLength else { return nil }
      switch byte {
      case 0x2e:
        guard label > 0 else { return nil }
        label = 0
      case 0x41...0x5a, 0x61...0x7a, 0x30...0x39, 0x2d, 0x5f:
        label += 1
        guard label <= 63 else { return nil }
      default: return nil
      }
      bytes.append((0x41...0x5a).contains(byte) ? byte | 0x20 : byte)
    }
    if label == 0 {
      guard bytes.count > 1 else { return nil }
      bytes.removeLast()
    }
    self.bytes = bytes
  }

  func isBelow(_ other: DomainName) -> Bool {
    let start = bytes.count - other.bytes.count
    return start > 1 && bytes[start - 1] == 0x2e && bytes[start...].elementsEqual(other.bytes)
  }
}

/// An address of the internet's, version 4.
package struct IPv4Address: Hashable, Sendable {
  package var value: UInt32

  package init(_ value: UInt32) { self.value = value }

  /// Four decimal numbers with dots between them.
  package init?(_ text: some Collection<UInt8>) {
    var value: UInt32 = 0
    var count = 0
    for part in text.split(separator: 0x2e, omittingEmptySubsequences: false) {
      guard let number = Decimal.number(part, limit: 255) else { return nil }
      value = value << 8 | UInt32(number)
      count += 1
    }
    guard count == 4 else { return nil }
    self.value = value
  }

  package var text: [UInt8] {
    var text: [UInt8] = []
    for shift in [24, 16, 8, 0] as [UInt32] {
      if shift != 24 { text.append(0x2e) }
      text += Decimal.text(Int(value >> shift & 0xff))
    }
    return text
  }

  /// Whether the first `length` bits are those of `other`.
  func isIn(_ other: IPv4Address, length: Int) -> Bool {
    length == 0 || (value ^ other.value) >> UInt32(32 - length) == 0
  }

  /// Of no machine elsewhere: this network, loopback, link-local, multicast and what is reserved (RFC 6890).
  var isSpecial: Bool {
    value >> 24 == 0 || value >> 24 == 127 || value >> 16 == 0xa9fe || value >> 28 >= 0xe
  }
}

package enum Decimal {
  /// A number of decimal digits alone, without leading zeros.
  package static func number(_ text: some Collection<UInt8>, limit: Int) -> Int? {
    guard let first = text.first, text.count <= 9, first != 0x30 || text.count == 1 else { return nil }
    var value = 0
    for digit in text {
      guard digit >= 0x30, digit <= 0x39 else { return nil }
      value = value * 10 + Int(digit - 0x30)
    }
    return value <= limit ? value : nil
  }

  static func text(_ value: Int) -> [UInt8] {
    var digits: [UInt8] = []
    var rest = value
    repeat {
      digits.append(UInt8(0x30 + rest % 10))
      rest /= 10
    } while rest > 0
    return digits.reversed()
  }
}

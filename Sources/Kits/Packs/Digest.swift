/// A SHA-256 digest (FIPS 180-4), written `sha256:` and 64 hexadecimal digits.
package struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// 32 of them.
  package let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Nothing's: for a file that was not read.
  static let none = Digest(bytes: [UInt8](repeating: 0, count: 32))

  package static func of(_ bytes: [UInt8]) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.digest()
  }

  /// nil for what is not 64 hexadecimal digits.
  package init?(hexadecimal text: some Sequence<UInt8>) {
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in text {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
      default: return nil
      }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
      if bytes.count > 32 { return nil }
    }
    guard high == nil, bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// As people give it: with or without `sha256:`.
  package init?(_ text: String) {
    let prefix = "sha256:"
    self.init(hexadecimal: (text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text).utf8)
  }

  package var hexadecimal: String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(64)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  package var description: String { "sha256:\(hexadecimal)" }

  package static func < (one: Digest, other: Digest) -> Bool { one.bytes.lexicographicallyPrecedes(other.bytes) }
}

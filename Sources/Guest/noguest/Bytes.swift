/// Paths, names and messages are bytes here, as they are to Linux: a Unicode `String` would refuse some of them, and
/// brings its tables along.
typealias Bytes = [UInt8]

// Nothing else is linked into this program that could make another of these conformances.

// swift-format-ignore: AvoidRetroactiveConformances
extension Array: @retroactive ExpressibleByUnicodeScalarLiteral where Element == UInt8 {
  public typealias UnicodeScalarLiteralType = StaticString
}

// swift-format-ignore: AvoidRetroactiveConformances
extension Array: @retroactive ExpressibleByExtendedGraphemeClusterLiteral where Element == UInt8 {
  public typealias ExtendedGraphemeClusterLiteralType = StaticString
}

// swift-format-ignore: AvoidRetroactiveConformances
extension Array: @retroactive ExpressibleByStringLiteral where Element == UInt8 {
  // Not at each of hundreds of places, nor are those that are marked so below.
  @inline(never) public init(stringLiteral value: StaticString) {
    self = []
    reserveCapacity(value.utf8CodeUnitCount)
    // A literal is as long as it says and is never freed.
    for index in 0..<value.utf8CodeUnitCount { append(unsafe value.utf8Start[index]) }
  }
}

extension Bytes {
  /// The number in decimal.
  @inline(never) init(decimal value: Int) {
    var digits: Bytes = []
    var rest = value.magnitude
    repeat {
      digits.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    if value < 0 { digits.append(UInt8(ascii: "-")) }
    self = digits.reversed()
  }

  /// The value of a string of decimal digits that fits 32 bits; nil for anything else.
  var decimal: UInt32? {
    guard !isEmpty else { return nil }
    var value: UInt32 = 0
    for byte in self {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = product.addingReportingOverflow(UInt32(byte - UInt8(ascii: "0")))
      guard !tooLarge, !overflow else { return nil }
      value = sum
    }
    return value
  }

  /// The parts between occurrences of `separator`; one more of them than there are separators.
  @inline(never) func parts(at separator: UInt8) -> [Bytes] {
    var parts: [Bytes] = []
    var part: Bytes = []
    for byte in self {
      if byte == separator {
        parts.append(part)
        part = []
      } else {
        part.append(byte)
      }
    }
    parts.append(part)
    return parts
  }

  /// What follows `prefix`; nil if the bytes begin otherwise.
  @inline(never) func after(_ prefix: Bytes) -> Bytes? {
    starts(with: prefix) ? Bytes(dropFirst(prefix.count)) : nil
  }
}

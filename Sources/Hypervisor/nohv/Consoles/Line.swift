import CMachine
import Firmware

/// A line of text for the consoles, by string interpolation that needs no memory.
struct Line: ExpressibleByStringInterpolation {
  struct StringInterpolation: StringInterpolationProtocol {
    typealias StringLiteralType = StaticString

    init(literalCapacity: Int, interpolationCount: Int) { Console.begin() }

    mutating func appendLiteral(_ text: StaticString) {
      for index in 0..<text.utf8CodeUnitCount { Console.put(unsafe text.utf8Start[index]) }
    }

    mutating func appendInterpolation(_ text: StaticString) { appendLiteral(text) }

    mutating func appendInterpolation(_ text: Text) {
      for index in 0..<text.count {
        let byte = LowMemory().byte(at: text.address &+ UInt64(index)) ?? 0x3f
        Console.put(byte >= 0x20 && byte < 0x7f ? byte : 0x3f)
      }
    }

    mutating func appendInterpolation(_ number: some FixedWidthInteger & UnsignedInteger) {
      decimal(UInt64(truncatingIfNeeded: number))
    }

    mutating func appendInterpolation(_ number: Int) { decimal(UInt64(bitPattern: Int64(number))) }

    mutating func appendInterpolation(hex number: UInt64) {
      appendLiteral("0x")
      var shift = number == 0 ? 0 : (63 &- number.leadingZeroBitCount) & ~3
      while shift >= 0 {
        let digit = UInt8(truncatingIfNeeded: number >> UInt64(shift)) & 15
        Console.put(digit < 10 ? 48 &+ digit : 87 &+ digit)
        shift &-= 4
      }
    }

    private func decimal(_ number: UInt64) {
      var power: UInt64 = 1
      while number / power >= 10 { power &*= 10 }
      while power > 0 {
        Console.put(48 &+ UInt8(truncatingIfNeeded: number / power % 10))
        power /= 10
      }
    }
  }

  init(stringLiteral text: StaticString) {
    var interpolation = StringInterpolation(literalCapacity: 0, interpolationCount: 0)
    interpolation.appendLiteral(text)
  }

  init(stringInterpolation: StringInterpolation) {}
}

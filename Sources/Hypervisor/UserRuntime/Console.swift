import CHypercall
import HypercallABI

/// The PC's serial ports, for programs that have theirs.
package enum Console {
  package static let first: UInt16 = 0x3f8
  package static let second: UInt16 = 0x2f8
  package static let third: UInt16 = 0x3e8

  package static func put(_ byte: UInt8, to port: UInt16 = first) {
    var waits = 0
    while h_in8(port + 5) & 0x20 == 0, waits < 1 << 16 { waits &+= 1 }
    h_out8(port, byte)
  }

  package static func write(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { put(unsafe text.utf8Start[index]) }
  }

  package static func write(_ bytes: [UInt8]) {
    for byte in bytes { put(byte) }
  }

  package static func write(_ number: UInt64) {
    var power: UInt64 = 1
    while number / power >= 10 { power &*= 10 }
    while power > 0 {
      put(48 &+ UInt8(truncatingIfNeeded: number / power % 10))
      power /= 10
    }
  }

  package static func write(hexadecimal number: UInt64) {
    write("0x")
    var shift = UInt64(max(15 - number.leadingZeroBitCount / 4, 0)) * 4
    while true {
      let digit = UInt8(truncatingIfNeeded: number &>> shift & 15)
      put(digit < 10 ? 48 &+ digit : 87 &+ digit)
      guard shift > 0 else { return }
      shift &-= 4
    }
  }

  package static func line(_ text: StaticString, _ number: UInt64) {
    write(text)
    put(32)
    write(number)
    put(10)
  }
}

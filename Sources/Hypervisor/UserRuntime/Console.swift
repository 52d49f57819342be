import CHypercall
import HypercallABI

/// COM1, for programs that have its ports.
package enum Console {
  package static func put(_ byte: UInt8) {
    var waits = 0
    while h_in8(0x3fd) & 0x20 == 0, waits < 1 << 16 { waits &+= 1 }
    h_out8(0x3f8, byte)
  }

  package static func write(_ text: StaticString) {
    for index in 0..<text.utf8CodeUnitCount { put(unsafe text.utf8Start[index]) }
  }

  package static func write(_ number: UInt64) {
    var power: UInt64 = 1
    while number / power >= 10 { power &*= 10 }
    while power > 0 {
      put(48 &+ UInt8(truncatingIfNeeded: number / power % 10))
      power /= 10
    }
  }

  package static func line(_ text: StaticString, _ number: UInt64) {
    write(text)
    put(32)
    write(number)
    put(10)
  }
}

/// COM1 as far as a kernel's console asks: always ready, silent.
package struct SerialRegisters {
  private var registers = InlineArray<8, UInt8>(repeating: 0)
  private var divisor = InlineArray<2, UInt8>(repeating: 1)
  private static let base: UInt16 = 0x3f8

  package init() {}

  private var isDivisor: Bool { registers[3] & 0x80 != 0 }

  /// Nil where the port is another's.
  package func read(_ port: UInt16) -> UInt64? {
    guard port >= SerialRegisters.base, port < SerialRegisters.base + 8 else { return nil }
    let index = Int(port - SerialRegisters.base)
    switch index {
    case ...1 where isDivisor: return UInt64(divisor[index])
    case 0: return 0
    case 2: return 1
    case 5: return 0x60
    case 6: return 0xb0
    default: return UInt64(registers[index])
    }
  }

  /// Returns a byte that goes out.
  package mutating func write(_ port: UInt16, _ value: UInt8) -> UInt8? {
    guard port >= SerialRegisters.base, port < SerialRegisters.base + 8 else { return nil }
    let index = Int(port - SerialRegisters.base)
    if index < 2, isDivisor {
      divisor[index] = value
    } else if index == 0 {
      return value
    } else {
      registers[index] = value
    }
    return nil
  }
}

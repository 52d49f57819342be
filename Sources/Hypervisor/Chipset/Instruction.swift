/// An instruction that moves a value between a register, or itself, and memory: those by which kernels access devices' registers
/// (Intel SDM 2, chapters 2 and 4, MOV, MOVZX, MOVSX, MOVSXD).
///
/// Where in memory it goes, whoever asks knows already: a nested page fault tells the address.
package struct Instruction: Equatable {
  /// Of code: how it is decoded.
  package enum Mode: Equatable { case bits16, bits32, bits64 }

  /// Bytes of the longest instruction.
  package static let limit = 15

  /// In bytes.
  package private(set) var length = 0
  /// Of the access: 1, 2, 4 or 8 bytes.
  package private(set) var width = 0
  package private(set) var isWrite = false
  /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15.
  package private(set) var register = 0
  /// AH, CH, DH, BH: bits 15:8 of registers 0 to 3.
  package private(set) var isHighByte = false
  /// What is written, where that is in the instruction.
  package private(set) var immediate: UInt64?
  /// What is read is extended to as many bytes, by its sign or by zeros.
  package private(set) var resultWidth = 0
  package private(set) var isSigned = false

  /// - Parameters:
  ///   - bytes: from the instruction on; those after `count` are not looked at.
  /// - Returns: nil for anything else, and for what ends too early.
  package init?(_ bytes: InlineArray<15, UInt8>, count: Int, _ mode: Mode) {
    var reader = Reader(bytes: bytes, count: min(count, Self.limit))
    var isOtherOperand = false
    var isOtherAddress = false
    var rex: UInt8 = 0
    prefixes: while true {
      guard let byte = reader.peek() else { return nil }
      switch byte {
      case 0x66: isOtherOperand = true
      case 0x67: isOtherAddress = true
      case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65: break
      case 0x40...0x4f where mode == .bits64:
        rex = byte
        reader.position += 1
        break prefixes
      default: break prefixes
      }
      reader.position += 1
    }
    let isWide = rex & 8 != 0
    let operand = isWide ? 8 : (mode == .bits16) == isOtherOperand ? 4 : 2
    let address =
      switch mode {
      case .bits64: isOtherAddress ? 4 : 8
      case .bits32: isOtherAddress ? 2 : 4
      case .bits16: isOtherAddress ? 4 : 2
      }
    guard let opcode = reader.next() else { return nil }
    switch opcode {
    case 0x88...0x8b:
      width = opcode & 1 == 0 ? 1 : operand
      isWrite = opcode < 0x8a
      resultWidth = width
      guard let field = reader.memory(address) else { return nil }
      setRegister(field, rex)
    case 0xa0...0xa3:
      // To or from RAX, the address follows.
      width = opcode & 1 == 0 ? 1 : operand
      isWrite = opcode >= 0xa2
      resultWidth = width
      guard reader.skip(address) else { return nil }
    case 0xc6, 0xc7:
      width = opcode == 0xc6 ? 1 : operand
      isWrite = true
      guard reader.memory(address) == 0, let value = reader.signed(min(width, 4)) else { return nil }
      immediate = value
    case 0x63 where mode == .bits64:
      (width, resultWidth, isSigned) = (4, operand, true)
      guard operand != 2, let field = reader.memory(address) else { return nil }
      setRegister(field, rex)
    case 0x0f:
      guard let second = reader.next(), second & ~9 == 0xb6 else { return nil }
      (width, resultWidth, isSigned) = (second & 1 == 0 ? 1 : 2, operand, second & 8 != 0)
      guard let field = reader.memory(address) else { return nil }
      register = Int(field) | (rex & 4 != 0 ? 8 : 0)
    default: return nil
    }
    length = reader.position
  }

  private mutating func setRegister(_ field: UInt8, _ rex: UInt8) {
    register = Int(field) | (rex & 4 != 0 ? 8 : 0)
    // Without a REX prefix 4 to 7 are the upper bytes of 0 to 3.
    if width == 1, rex == 0, register >= 4 {
      register -= 4
      isHighByte = true
    }
  }

  /// The low `width` bytes of what is written, from the value of `register`.
  package func written(_ value: UInt64) -> UInt64 {
    Self.low(immediate ?? (isHighByte ? value >> 8 : value), width)
  }

  /// What `register`, which held `old`, holds after a read of `value`.
  package func result(_ value: UInt64, old: UInt64) -> UInt64 {
    var value = Self.low(value, width)
    if isSigned, width < 8, value >> UInt64(width * 8 - 1) & 1 != 0 { value |= .max << UInt64(width * 8) }
    switch resultWidth {
    case 8: return value
    // Upper halves are zero then (Intel SDM 1, 3.4.1.1).
    case 4: return value & 0xffff_ffff
    case 2: return old & ~0xffff | value & 0xffff
    default: return isHighByte ? old & ~0xff00 | (value & 0xff) << 8 : old & ~0xff | value & 0xff
    }
  }

  private static func low(_ value: UInt64, _ width: Int) -> UInt64 {
    width >= 8 ? value : value & ((1 << UInt64(width * 8)) - 1)
  }

  private struct Reader {
    let bytes: InlineArray<15, UInt8>
    let count: Int
    var position = 0

    func peek() -> UInt8? { position < count ? bytes[position] : nil }

    mutating func next() -> UInt8? {
      guard let byte = peek() else { return nil }
      position += 1
      return byte
    }

    mutating func skip(_ length: Int) -> Bool {
      position += length
      return position <= count
    }

    /// Passes an operand in memory (Intel SDM 2, tables 2-1 to 2-3) for addresses of so many bytes. Returns the other
    /// operand's three bits; nil where the operand is a register.
    mutating func memory(_ address: Int) -> UInt8? {
      guard let byte = next(), byte >> 6 != 3 else { return nil }
      let (mod, base) = (byte >> 6, byte & 7)
      var displacement = mod == 1 ? 1 : mod == 2 ? (address == 2 ? 2 : 4) : 0
      if address == 2 {
        if mod == 0, base == 6 { displacement = 2 }
      } else {
        var last = base
        if base == 4 {
          guard let index = next() else { return nil }
          last = index & 7
        }
        if mod == 0, last == 5 { displacement = 4 }
      }
      guard skip(displacement) else { return nil }
      return byte >> 3 & 7
    }

    /// A number of so many bytes, extended by its sign.
    mutating func signed(_ length: Int) -> UInt64? {
      var value: UInt64 = 0
      for index in 0..<length {
        guard let byte = next() else { return nil }
        value |= UInt64(byte) << UInt64(index * 8)
      }
      let unused = UInt64(64 - length * 8)
      return UInt64(bitPattern: Int64(bitPattern: value << unused) >> Int64(unused))
    }
  }
}

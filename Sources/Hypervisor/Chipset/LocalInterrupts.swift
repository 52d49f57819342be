/// A local APIC in x2APIC mode, by registers 0x800 to 0x83f (Intel SDM 3, 11.12), with the timer's deadline mode.
package struct LocalInterrupts {
  package let id: UInt32
  private var requested = InlineArray<4, UInt64>(repeating: 0)
  private var inService = InlineArray<4, UInt64>(repeating: 0)
  private var registers = InlineArray<64, UInt64>(repeating: 0)
  /// In ticks; 0 where the timer is not armed.
  package private(set) var deadline: UInt64 = 0

  private enum Register {
    static let id = 0x02
    static let version = 0x03
    static let priority = 0x08
    static let end = 0x0b
    static let destination = 0x0d
    static let spurious = 0x0f
    static let service = 0x10
    static let request = 0x20
    static let command = 0x30
    static let timer = 0x32
    static let own = 0x3f
  }

  package init(id: UInt32) {
    self.id = id
    reset()
  }

  /// As after INIT: local interrupts are masked.
  package mutating func reset() {
    requested = InlineArray(repeating: 0)
    inService = InlineArray(repeating: 0)
    registers = InlineArray(repeating: 0)
    registers[Register.spurious] = 0xff
    for local in 0x32...0x37 { registers[local] = 1 << 16 }
    deadline = 0
  }

  private static func highest(_ bits: InlineArray<4, UInt64>) -> Int {
    var word = 3
    while word >= 0 {
      if bits[word] != 0 { return word * 64 + 63 - bits[word].leadingZeroBitCount }
      word -= 1
    }
    return -1
  }

  package mutating func request(_ vector: UInt8) {
    guard vector >= 16 else { return }
    requested[Int(vector) / 64] |= 1 << UInt64(vector % 64)
  }

  /// The interrupt that may be delivered now; nil where there is none.
  package var pending: UInt8? {
    let vector = Self.highest(requested)
    guard vector >= 0 else { return nil }
    let current = max(Self.highest(inService) & ~15, Int(registers[Register.priority] & 0xf0))
    return vector & ~15 > current ? UInt8(vector) : nil
  }

  /// It goes into the processor.
  package mutating func deliver(_ vector: UInt8) {
    let bit: UInt64 = 1 << UInt64(vector % 64)
    requested[Int(vector) / 64] &= ~bit
    inService[Int(vector) / 64] |= bit
  }

  /// The timer's interrupt, if its time has come.
  package mutating func expire(_ now: UInt64) {
    guard deadline != 0, deadline <= now else { return }
    deadline = 0
    let timer = registers[Register.timer]
    if timer & 1 << 16 == 0 { request(UInt8(truncatingIfNeeded: timer)) }
  }

  package mutating func arm(_ deadline: UInt64) { self.deadline = deadline }

  /// Register 0x800 plus `register`, which is below 64.
  package func read(_ register: Int) -> UInt64 {
    switch register {
    case Register.id: UInt64(id)
    case Register.version: 0x50014
    case Register.destination: UInt64((id >> 4) << 16 | 1 << (id & 15))
    case Register.service..<Register.service + 8: half(inService, register - Register.service)
    case Register.request..<Register.request + 8: half(requested, register - Register.request)
    default: registers[register & 63]
    }
  }

  private func half(_ bits: InlineArray<4, UInt64>, _ index: Int) -> UInt64 {
    bits[index / 2] >> UInt64(index % 2 * 32) & 0xffff_ffff
  }

  /// Returns what is to be sent.
  package mutating func write(_ register: Int, _ value: UInt64) -> InterruptCommand? {
    switch register {
    case Register.end:
      let vector = Self.highest(inService)
      if vector >= 0 { inService[vector / 64] &= ~(1 << UInt64(vector % 64)) }
    case Register.own: request(UInt8(truncatingIfNeeded: value))
    case Register.command:
      registers[Register.command] = value
      return InterruptCommand(command: value)
    default: registers[register & 63] = value
    }
    return nil
  }
}

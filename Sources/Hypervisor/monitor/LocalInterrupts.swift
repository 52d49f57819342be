import CHypercall
import UserRuntime

/// A local APIC in x2APIC mode, by registers 0x800 to 0x83f (Intel SDM 3, 11.12), with the timer's deadline mode.
struct LocalInterrupts {
  private var requested = InlineArray<4, UInt64>(repeating: 0)
  private var inService = InlineArray<4, UInt64>(repeating: 0)
  private var registers = InlineArray<64, UInt64>(repeating: 0)
  /// In ticks; 0 where the timer is not armed.
  private(set) var deadline: UInt64 = 0

  private enum Register {
    static let id = 0x02
    static let version = 0x03
    static let priority = 0x08
    static let end = 0x0b
    static let destination = 0x0d
    static let service = 0x10
    static let request = 0x20
    static let command = 0x30
    static let timer = 0x32
    static let own = 0x3f
  }

  private static func highest(_ bits: InlineArray<4, UInt64>) -> Int {
    for word in [3, 2, 1, 0] where bits[word] != 0 { return word * 64 + 63 - bits[word].leadingZeroBitCount }
    return -1
  }

  mutating func request(_ vector: Int) {
    guard vector >= 16, vector < 256 else { return }
    requested[vector / 64] |= 1 << UInt64(vector % 64)
  }

  /// The interrupt that may be delivered now; nil where there is none.
  var pending: Int? {
    let vector = Self.highest(requested)
    guard vector >= 0 else { return nil }
    let current = max(Self.highest(inService) & ~15, Int(registers[Register.priority] & 0xf0))
    return vector & ~15 > current ? vector : nil
  }

  mutating func deliver(_ vector: Int) {
    requested[vector / 64] &= ~(1 << UInt64(vector % 64))
    inService[vector / 64] |= 1 << UInt64(vector % 64)
  }

  /// The timer's interrupt, if its time has come.
  mutating func expire(_ now: UInt64) {
    guard deadline != 0, deadline <= now else { return }
    deadline = 0
    let timer = registers[Register.timer]
    if timer & 1 << 16 == 0 { request(Int(timer & 0xff)) }
  }

  mutating func arm(_ deadline: UInt64) { self.deadline = deadline }

  func read(_ register: Int) -> UInt64 {
    switch register {
    case Register.id: 0
    case Register.version: 0x50014
    case Register.destination: 1
    case Register.service..<Register.service + 8: half(inService, register - Register.service)
    case Register.request..<Register.request + 8: half(requested, register - Register.request)
    default: registers[register & 63]
    }
  }

  private func half(_ bits: InlineArray<4, UInt64>, _ index: Int) -> UInt64 {
    bits[index / 2] >> UInt64(index % 2 * 32) & 0xffff_ffff
  }

  mutating func write(_ register: Int, _ value: UInt64) {
    switch register {
    case Register.end:
      let vector = Self.highest(inService)
      if vector >= 0 { inService[vector / 64] &= ~(1 << UInt64(vector % 64)) }
    case Register.own: request(Int(value & 0xff))
    case Register.command:
      // To itself, by a shorthand or by its id; there is nobody else.
      let shorthand = value >> 18 & 3
      if value & 0x700 == 0, shorthand == 1 || shorthand == 2 || (shorthand == 0 && value >> 32 == 0) {
        request(Int(value & 0xff))
      }
    default: registers[register & 63] = value
    }
  }
}

/// An I/O APIC of 24 inputs, all of them edges (Intel 82093AA, 3.1).
package struct InputInterrupts {
  package static let address: UInt64 = 0xfec0_0000
  package static let size: UInt64 = 0x1000
  package static let count = 24

  private static let mask: UInt64 = 1 << 16
  /// Delivery status and remote IRR are not the driver's to write.
  private static let readOnly: UInt64 = 1 << 12 | 1 << 14

  private var selected: UInt32 = 0
  private var id: UInt32 = 0
  private var entries = InlineArray<24, UInt64>(repeating: InputInterrupts.mask)
  /// Inputs that were raised while masked: they are heard when they are not masked any more.
  private var waiting: UInt32 = 0

  package init() {}

  /// The driver reads a register of the window.
  package func read(offset: UInt64) -> UInt32 {
    switch offset {
    case 0x00: selected
    case 0x10: register(selected)
    default: 0
    }
  }

  private func register(_ number: UInt32) -> UInt32 {
    switch number {
    case 0, 2: return id
    case 1: return UInt32(Self.count - 1) << 16 | 0x11
    case 0x10..<0x10 + UInt32(Self.count) * 2:
      let entry = entries[Int(number - 0x10) / 2]
      return UInt32(truncatingIfNeeded: number & 1 == 0 ? entry : entry >> 32)
    default: return 0
    }
  }

  /// The driver writes one. Returns what is to be sent then.
  package mutating func write(_ value: UInt32, offset: UInt64) -> InterruptCommand? {
    if offset == 0 { selected = value & 0xff }
    guard offset == 0x10 else { return nil }
    if selected == 0 { id = value & 0x0f00_0000 }
    guard selected >= 0x10, selected < 0x10 + UInt32(Self.count) * 2 else { return nil }
    let input = Int(selected - 0x10) / 2
    if selected & 1 == 0 {
      entries[input] = entries[input] & ~0xffff_ffff | UInt64(value) & ~Self.readOnly
    } else {
      entries[input] = entries[input] & 0xffff_ffff | UInt64(value) << 32
    }
    guard waiting & 1 << UInt32(input) != 0 else { return nil }
    return raise(input)
  }

  /// An edge of an input. Returns what is to be sent.
  package mutating func raise(_ input: Int) -> InterruptCommand? {
    guard input >= 0, input < Self.count else { return nil }
    guard entries[input] & Self.mask == 0 else {
      waiting |= 1 << UInt32(input)
      return nil
    }
    waiting &= ~(1 << UInt32(input))
    return InterruptCommand(redirection: entries[input])
  }
}

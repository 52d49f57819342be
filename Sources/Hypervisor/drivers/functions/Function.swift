import CHypercall

/// A function of PCI's, by the ports of configuration mechanism 1 (PCI 3.0, 3.2.2.3.2).
struct Function {
  /// Bus, device and function, as requester ids have them.
  let address: UInt16
  /// The device's number above its vendor's.
  let identity: UInt32
  let isBridge: Bool
  /// Whether there are others at its place. One that is alone may answer for all eight (PCI 3.0, 3.2.2.3.4).
  let hasOthers: Bool
  /// Memory, by register: where, and how much; 0 where there is none.
  private(set) var memory = InlineArray<6, (base: UInt64, size: UInt64)>(repeating: (0, 0))
  /// The program that has it.
  var owner: UInt64?

  static let command: UInt64 = 4
  private static let firstBase: UInt64 = 0x10
  /// Accesses to memory; the device's own accesses; no interrupts by pin.
  private static let (decodes, masters, silent): (UInt32, UInt32, UInt32) = (1 << 1, 1 << 2, 1 << 10)

  /// The one at an address; nil where there is none.
  init?(_ address: UInt16) {
    self.address = address
    identity = Self.read(address, 0)
    guard identity & 0xffff != 0xffff else { return nil }
    hasOthers = Self.read(address, 0xc) >> 23 & 1 != 0
    // By its class, or by the layout of the rest.
    isBridge = Self.read(address, 8) >> 24 == 6 || Self.read(address, 0xc) >> 16 & 0x7f != 0
    guard !isBridge else { return }
    // Nobody's device reads or writes memory; while it is asked for sizes, it answers nowhere.
    let before = read(Self.command) & 0xffff
    write(Self.command, before & ~(Self.masters | Self.decodes))
    findMemory()
    write(Self.command, before & ~Self.masters)
  }

  private mutating func findMemory() {
    var index = 0
    while index < 6 {
      let register = Self.firstBase + UInt64(index) * 4
      let low = read(register)
      let isWide = low & 7 == 4
      guard low & 1 == 0 else {
        index += 1
        continue
      }
      let high = isWide && index < 5 ? read(register + 4) : 0
      let mask =
        UInt64(size(register, low) & ~0xf) | UInt64(isWide && index < 5 ? size(register + 4, high) : .max) << 32
      if mask & 0xffff_ffff != 0 || isWide { memory[index] = (UInt64(low & ~0xf) | UInt64(high) << 32, ~mask &+ 1) }
      index += isWide ? 2 : 1
    }
  }

  /// What of a register a device lets be written: what an address is a multiple of.
  private func size(_ register: UInt64, _ value: UInt32) -> UInt32 {
    write(register, .max)
    defer { write(register, value) }
    return read(register)
  }

  /// As nobody has it: silent.
  func reset() {
    write(Self.command, 0)
    if let place = messages { write(place, read(place) & ~(1 << 31)) }
  }

  /// It answers, reads and writes memory, and sends its interrupts as messages.
  func enable() {
    write(Self.command, Self.decodes | Self.masters | Self.silent)
    if let place = messages { write(place, read(place) & ~(1 << 30) | 1 << 31) }
  }

  /// Where its capability of MSI-X is (PCI 3.0, 6.8.2).
  private var messages: UInt64? {
    var place = UInt64(read(0x34) & 0xfc)
    for _ in 0..<48 where place >= 0x40 {
      let header = read(place)
      if header & 0xff == 0x11 { return place }
      place = UInt64(header >> 8 & 0xfc)
    }
    return nil
  }

  // MARK: Configuration space

  private static func select(_ address: UInt16, _ offset: UInt64) {
    h_out32(0xcf8, 1 << 31 | UInt32(address) << 8 | UInt32(offset & 0xfc))
  }

  private static func read(_ address: UInt16, _ offset: UInt64) -> UInt32 {
    select(address, offset)
    return h_in32(0xcfc)
  }

  /// The word at a multiple of four.
  func read(_ offset: UInt64) -> UInt32 { Self.read(address, offset) }

  private func write(_ offset: UInt64, _ value: UInt32) {
    Self.select(address, offset)
    h_out32(0xcfc, value)
  }
}

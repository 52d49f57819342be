import LittleEndian

/// The configuration registers of a function without bridges below it (PCI Local Bus 3.0, 6.1, header type 0): what they
/// hold, and which of their bits software may change.
///
/// Accesses may have any width and place, as a guest likes: what lies outside reads as zero, and takes nothing.
package struct ConfigurationSpace {
  /// Bytes; a conventional function has no extended space behind them.
  package static let size = 256

  private var bytes = [UInt8](repeating: 0, count: size)
  /// The bits that software may change, byte by byte.
  private var writable = [UInt8](repeating: 0, count: size)
  private var end = Register.firstCapability
  /// The byte that points to the next capability to come.
  private var link = Register.capabilities
  private var baseAddresses: [BaseAddress] = []

  package init(_ identity: FunctionIdentity) {
    put(identity.vendor, at: Register.vendor)
    put(identity.device, at: Register.device)
    put(identity.classCode << 8 | UInt32(identity.revision), at: Register.revision)
    put(identity.subsystemVendor, at: Register.subsystemVendor)
    put(identity.subsystem, at: Register.subsystem)
    allow(Command.memory | Command.busMaster | Command.noInterruptPin, at: Register.command)
    // A byte for software's own use, which tells of no pin (6.2.4).
    allow(UInt8.max, at: Register.interruptLine)
  }

  /// Gives the function a region of memory, decoded nowhere until software says so (6.2.5.1).
  ///
  /// - Parameter address: where it is put before software has put it anywhere; a multiple of its size.
  package mutating func add(_ region: BaseAddress, at address: UInt64) {
    baseAddresses.append(region)
    let mask = ~(region.size - 1)
    let place = Register.baseAddress(region.index)
    put(UInt32(truncatingIfNeeded: address) | region.kind, at: place)
    allow(UInt32(truncatingIfNeeded: mask) & ~0xf, at: place)
    guard region.is64Bit else { return }
    put(UInt32(truncatingIfNeeded: address >> 32), at: place + 4)
    allow(UInt32(truncatingIfNeeded: mask >> 32), at: place + 4)
  }

  /// Appends a capability (6.7): its ID and the link are put before `body`.
  ///
  /// - Parameter writable: the bits of `body` that software may change; what it is shorter by, is fixed.
  /// - Returns: where the capability begins. The list must have room for it.
  @discardableResult
  package mutating func add(capability id: UInt8, _ body: [UInt8], writable mask: [UInt8] = []) -> Int {
    let start = end
    put(UInt8(truncatingIfNeeded: start), at: link)
    put(id, at: start)
    link = start + 1
    for (index, byte) in body.enumerated() { bytes[start + 2 + index] = byte }
    for (index, byte) in mask.enumerated() { writable[start + 2 + index] = byte }
    end = (start + 2 + body.count + 3) & ~3
    put(Status.hasCapabilities, at: Register.status)
    return start
  }

  /// `width` bytes at `offset`, 1 to 4.
  package func read(at offset: Int, width: Int) -> UInt32 {
    var value: UInt32 = 0
    for index in 0..<min(max(width, 0), 4) where bytes.indices.contains(offset &+ index) {
      value |= UInt32(bytes[offset + index]) << (8 * UInt32(index))
    }
    return value
  }

  /// Software writes the low `width` bytes of `value`.
  package mutating func write(_ value: UInt32, at offset: Int, width: Int) {
    for index in 0..<min(max(width, 0), 4) where bytes.indices.contains(offset &+ index) {
      let byte = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index)))
      let mask = writable[offset + index]
      bytes[offset + index] = bytes[offset + index] & ~mask | byte & mask
    }
  }

  /// All bytes, as they read.
  package var contents: [UInt8] { bytes }

  /// Takes from `contents` what software had written.
  ///
  /// - Returns: false, having done nothing, if it is not of a function like this one.
  package mutating func restore(_ contents: [UInt8]) -> Bool {
    guard contents.count == Self.size else { return false }
    for index in contents.indices where (contents[index] ^ bytes[index]) & ~writable[index] != 0 { return false }
    bytes = contents
    return true
  }

  /// Sets what software sees at `offset`, whether it may write there or not.
  package mutating func put<T: FixedWidthInteger & UnsignedInteger>(_ value: T, at offset: Int) {
    bytes.put(value, at: offset)
  }

  /// Where software has put a region; nil while it keeps the function from answering.
  package func address(of region: BaseAddress) -> UInt64? {
    guard read(at: Register.command, width: 2) & UInt32(Command.memory) != 0 else { return nil }
    let place = Register.baseAddress(region.index)
    let low = UInt64(read(at: place, width: 4) & ~0xf)
    return region.is64Bit ? UInt64(read(at: place + 4, width: 4)) << 32 | low : low
  }

  /// Whether software lets the function reach memory and interrupt.
  package var isBusMaster: Bool { read(at: Register.command, width: 2) & UInt32(Command.busMaster) != 0 }

  private mutating func allow<T: FixedWidthInteger & UnsignedInteger>(_ bits: T, at offset: Int) {
    writable.put(bits, at: offset)
  }

  /// Offsets (6.1, figure 6-1).
  private enum Register {
    static let vendor = 0x00
    static let device = 0x02
    static let command = 0x04
    static let status = 0x06
    static let revision = 0x08
    static let subsystemVendor = 0x2c
    static let subsystem = 0x2e
    static let capabilities = 0x34
    static let interruptLine = 0x3c
    static let firstCapability = 0x40

    static func baseAddress(_ index: Int) -> Int { 0x10 + 4 * index }
  }

  /// Bits of the command register (6.2.2).
  private enum Command {
    static let memory: UInt16 = 1 << 1
    static let busMaster: UInt16 = 1 << 2
    static let noInterruptPin: UInt16 = 1 << 10
  }

  /// Bits of the status register (6.2.3).
  private enum Status {
    static let hasCapabilities: UInt16 = 1 << 4
  }
}

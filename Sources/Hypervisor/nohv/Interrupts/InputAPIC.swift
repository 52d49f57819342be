import CMachine
import Firmware
import FramePool

/// The I/O APICs, and where global system interrupts (GSIs) lead (Intel 82093AA, 3.2).
enum InputAPIC {
  private struct Controller {
    var address: UInt64
    var base: UInt64
    var count: UInt64
  }
  /// Polarity and trigger mode, as redirection entries have them.
  static let low: UInt32 = 1 << 13
  static let level: UInt32 = 1 << 15
  private static let mask: UInt32 = 1 << 16

  nonisolated(unsafe) private static var controllers = InlineArray<8, Controller>(
    repeating: Controller(address: 0, base: 0, count: 0))
  nonisolated(unsafe) private static var count = 0
  /// The low half of each GSI's redirection entry without its mask.
  nonisolated(unsafe) private static var entries = InlineArray<192, UInt32>(repeating: 0)
  /// GSIs that are there.
  nonisolated(unsafe) private(set) static var limit: UInt64 = 0

  /// From the MADT: interrupts of ISA are edges, those of PCI levels, unless an entry says otherwise.
  static func find(_ table: Table) {
    InterruptControllers.forEach(table, LowMemory()) { entry in
      guard case .input(_, let address, let base) = entry, unsafe count < 8 else { return }
      let place = UInt64(address)
      let inputs = UInt64(read(place, 1) >> 16 & 0xff) + 1
      unsafe controllers[count] = Controller(address: place, base: UInt64(base), count: inputs)
      unsafe count += 1
      unsafe limit = min(max(limit, UInt64(base) + inputs), Vector.interrupts)
    }
    for gsi in unsafe 0..<limit {
      unsafe entries[Int(gsi)] = UInt32(Vector.firstInterrupt + gsi) | (gsi < 16 ? 0 : level | low)
    }
    InterruptControllers.forEach(table, LowMemory()) { entry in
      guard case .override(_, let gsi, let flags) = entry, unsafe UInt64(gsi) < limit else { return }
      configure(UInt64(gsi), level: flags & 0xc == 0xc, low: flags & 3 == 3)
    }
    for gsi in unsafe 0..<limit { set(gsi, masked: true) }
  }

  static func configure(_ gsi: UInt64, level: Bool, low: Bool) {
    guard unsafe gsi < limit else { return }
    unsafe entries[Int(gsi)] =
      UInt32(Vector.firstInterrupt + gsi) | (level ? self.level : 0) | (low ? self.low : 0)
  }

  static func isLevel(_ gsi: UInt64) -> Bool { unsafe entries[Int(gsi)] & level != 0 }

  static func set(_ gsi: UInt64, masked: Bool) {
    guard let (place, index) = input(gsi) else { return }
    write(place, 0x10 + index * 2, unsafe entries[Int(gsi)] | (masked ? mask : 0))
  }

  static func route(_ gsi: UInt64, to apic: UInt32) {
    guard let (place, index) = input(gsi) else { return }
    write(place, 0x11 + index * 2, apic << 24)
  }

  private static func input(_ gsi: UInt64) -> (UInt64, UInt32)? {
    for index in unsafe 0..<count {
      let controller = unsafe controllers[index]
      if gsi >= controller.base, gsi &- controller.base < controller.count, gsi < Vector.interrupts {
        return (controller.address, UInt32(gsi - controller.base))
      }
    }
    return nil
  }

  private static func read(_ address: UInt64, _ index: UInt32) -> UInt32 {
    m_write32(Physical.base &+ address, index)
    return m_read32(Physical.base &+ address &+ 0x10)
  }
  private static func write(_ address: UInt64, _ index: UInt32, _ value: UInt32) {
    m_write32(Physical.base &+ address, index)
    m_write32(Physical.base &+ address &+ 0x10, value)
  }

  /// The PC's old controllers stay silent.
  static func silenceLegacy() {
    m_out8(0x21, 0xff)
    m_out8(0xa1, 0xff)
  }
}

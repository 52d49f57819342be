private import Synchronization

/// What the ports of a PC's real-time clock (MC146818) say where there is none.
///
/// By ACPI a guest is told that there is none. One that finds its devices otherwise asks all the same, and where nothing
/// answered would read ones: an update under way (register A, bit 7), for whose end Linux waits for seconds, some versions
/// for ever. Here no update is under way, and the rest is what its driver takes for a clock that it cannot use: it counts
/// by 12 hours (register B, bit 1), and in register D bit 6 is set, which is always 0 (drivers/rtc/rtc-cmos.c). A driver
/// that stayed would hold interrupt 8, which is a virtio device's.
package final class AbsentClock: BusDevice {
  /// The number of a register, and its value.
  package static let port: UInt16 = 0x70
  package static let portCount: UInt16 = 2

  private static let registerD: UInt64 = 0xd

  /// One byte that any of the vCPUs may write last: which of two registers the guest meant is its own affair.
  private let number = Atomic<UInt8>(0)

  package init() {}

  package func read(offset: UInt64, width: Int) -> UInt64 {
    offset == 1 && UInt64(number.load(ordering: .relaxed)) & 0x7f == Self.registerD ? 0x40 : 0
  }

  package func write(_ value: UInt64, offset: UInt64, width: Int) {
    if offset == 0 { number.store(UInt8(truncatingIfNeeded: value), ordering: .relaxed) }
  }
}

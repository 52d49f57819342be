package import GuestMemory

/// The time as KVM tells its guests (Linux, Documentation/virt/kvm/x86/msr.rst): how fast the time-stamp counter is, and what
/// time it was when that was at a certain count. Both hold for as long as the machine lives.
package struct GuestClock {
  package static let wallRegister: UInt32 = 0x4b56_4d00
  package static let systemRegister: UInt32 = 0x4b56_4d01
  /// CPUID 0x4000_0001: these registers, and that all processors' counters are one.
  package static let features: UInt32 = 1 << 3 | 1 << 24

  /// The counter when the machine's time was 0.
  private let start: UInt64
  /// Seconds since 1970 then.
  private let seconds: UInt64
  private let multiplier: UInt32
  private let shift: Int8

  package init(kilohertz: UInt64, start: UInt64, seconds: UInt64) {
    self.start = start
    self.seconds = seconds
    // Nanoseconds are ((ticks << shift) * multiplier) >> 32, with a multiplier as precise as 32 bits allow.
    var frequency = max(min(kilohertz, 1 << 40), 1) * 1000
    var billion: UInt64 = 1_000_000_000
    var shift: Int8 = 0
    while frequency > 2 * billion || frequency >> 32 != 0 {
      frequency >>= 1
      shift -= 1
    }
    while frequency <= billion {
      if frequency & 1 << 31 != 0 { billion >>= 1 } else { frequency <<= 1 }
      shift += 1
    }
    multiplier = UInt32(truncatingIfNeeded: (billion << 32) / frequency)
    self.shift = shift
  }

  /// Nanoseconds since the start, as the guest computes them.
  package func nanoseconds(at ticks: UInt64) -> UInt64 {
    let delta = ticks &- start
    let scaled = shift < 0 ? delta >> UInt64(-shift) : delta << UInt64(shift)
    let product = scaled.multipliedFullWidth(by: UInt64(multiplier))
    return product.high << 32 | product.low >> 32
  }

  package func wallSeconds(at ticks: UInt64) -> UInt64 { seconds &+ nanoseconds(at: ticks) / 1_000_000_000 }

  /// `struct pvclock_wall_clock`, where the guest wants it.
  package func writeWall(to address: UInt64, _ memory: GuestMemory) {
    guard let slice = try? memory.slice(at: address, count: 12) else { return }
    try? slice.store(UInt32(2), at: 0)
    try? slice.store(UInt32(truncatingIfNeeded: seconds), at: 4)
    try? slice.store(UInt32(0), at: 8)
  }

  /// `struct pvclock_vcpu_time_info`, for a register's value: bit 0 says that it is wanted.
  package func writeSystem(_ value: UInt64, _ memory: GuestMemory) {
    guard value & 1 != 0, let slice = try? memory.slice(at: value & ~1, count: 32) else { return }
    // An even version: it does not change.
    try? slice.store(UInt32(2), at: 0)
    try? slice.store(UInt32(0), at: 4)
    try? slice.store(start, at: 8)
    try? slice.store(UInt64(0), at: 16)
    try? slice.store(multiplier, at: 24)
    // The shift; and flag 0, the counters of all processors are one.
    try? slice.store(UInt32(UInt8(bitPattern: shift)) | 1 << 8, at: 28)
  }
}

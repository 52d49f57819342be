import CMachine
import Firmware

/// The time-stamp counter's frequency, and the local APICs' timers by it.
enum Clock {
  /// Of the time-stamp counter.
  nonisolated(unsafe) private(set) static var kilohertz: UInt64 = 1_000_000
  /// Of a local APIC's timer.
  nonisolated(unsafe) private static var timerKilohertz: UInt64 = 1_000_000

  /// Measures both for 10 ms, by ACPI's timer, or else by channel 2 of the PC's old one (1.193182 MHz).
  static func measure(_ timer: FixedDescription?) {
    let wait: UInt64 = 10
    LocalAPIC.startTimer(.max)
    let start = m_rdtsc()
    let before = LocalAPIC.timerCount
    if let timer {
      let mask: UInt32 = timer.timerIsWide ? .max : 0xff_ffff
      let ticks = UInt32(FixedDescription.timerFrequency * wait / 1000)
      let first = m_in32(timer.timerPort) & mask
      while (m_in32(timer.timerPort) &- first) & mask < ticks { m_pause() }
    } else {
      m_out8(0x61, m_in8(0x61) & 0xfc)
      m_out8(0x43, 0xb0)
      let ticks: UInt16 = 11932
      m_out8(0x42, UInt8(truncatingIfNeeded: ticks))
      m_out8(0x42, UInt8(truncatingIfNeeded: ticks >> 8))
      m_out8(0x61, m_in8(0x61) | 1)
      while m_in8(0x61) & 0x20 == 0 { m_pause() }
    }
    let ticks = m_rdtsc() &- start
    let counts = UInt64(before &- LocalAPIC.timerCount)
    LocalAPIC.startTimer(0)
    unsafe kilohertz = max(ticks / wait, 1)
    unsafe timerKilohertz = max(counts / wait, 1)
  }

  static func ticks(microseconds: UInt64) -> UInt64 {
    unsafe (microseconds / 1000) &* kilohertz &+ (microseconds % 1000) &* kilohertz / 1000
  }

  static func microseconds(ticks: UInt64) -> UInt64 {
    unsafe ticks / kilohertz &* 1000 &+ ticks % kilohertz &* 1000 / kilohertz
  }

  /// The timer's interrupt comes at `deadline`, or a little later; earlier, where that is far away.
  static func arm(_ deadline: UInt64) {
    let now = m_rdtsc()
    let left = min(deadline > now ? deadline &- now : 0, unsafe kilohertz &* 1000)
    LocalAPIC.startTimer(UInt32(truncatingIfNeeded: max(unsafe left &* timerKilohertz / kilohertz, 1) &+ 1))
  }

  static func pause(microseconds: UInt64) {
    let end = m_rdtsc() &+ ticks(microseconds: microseconds)
    while m_rdtsc() < end { m_pause() }
  }
}

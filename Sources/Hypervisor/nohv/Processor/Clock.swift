import CMachine
import Firmware

/// The time-stamp counter's frequency, and the local APICs' timers by it.
enum Clock {
  /// Of the time-stamp counter.
  nonisolated(unsafe) private(set) static var kilohertz: UInt64 = 1_000_000
  /// Of a local APIC's timer.
  nonisolated(unsafe) private static var timerKilohertz: UInt64 = 1_000_000

  /// What all three counters say at one moment.
  private struct Sample {
    var ticks: UInt64 = 0
    var timer: UInt32 = 0
    var known: UInt32 = 0
  }

  /// The closest of some tries: who emulates a processor may let it wait between two reads, for longer than what is measured.
  private static func sample(_ timer: FixedDescription) -> Sample {
    var best = Sample()
    var closest = UInt64.max
    var tries = 0
    while tries < 16 {
      tries &+= 1
      let start = m_rdtsc()
      let sample = Sample(ticks: start, timer: LocalAPIC.timerCount, known: m_in32(timer.timerPort))
      let taken = m_rdtsc() &- start
      if taken < closest {
        closest = taken
        best = sample
      }
    }
    return best
  }

  /// Measures both by ACPI's timer for at least 10 ms, or else by channel 2 of the PC's old one (1.193182 MHz).
  static func measure(_ timer: FixedDescription?) {
    LocalAPIC.startTimer(.max)
    if let timer {
      let mask: UInt32 = timer.timerIsWide ? .max : 0xff_ffff
      let first = sample(timer)
      let wanted = UInt32(FixedDescription.timerFrequency / 100)
      while (m_in32(timer.timerPort) &- first.known) & mask < wanted { m_pause() }
      let last = sample(timer)
      // It may well have been more.
      let known = UInt64((last.known &- first.known) & mask)
      set(last.ticks &- first.ticks, UInt64(first.timer &- last.timer), FixedDescription.timerFrequency, per: known)
    } else {
      let start = m_rdtsc()
      let before = LocalAPIC.timerCount
      m_out8(0x61, m_in8(0x61) & 0xfc)
      m_out8(0x43, 0xb0)
      let ticks: UInt16 = 11932
      m_out8(0x42, UInt8(truncatingIfNeeded: ticks))
      m_out8(0x42, UInt8(truncatingIfNeeded: ticks >> 8))
      m_out8(0x61, m_in8(0x61) | 1)
      while m_in8(0x61) & 0x20 == 0 { m_pause() }
      set(m_rdtsc() &- start, UInt64(before &- LocalAPIC.timerCount), 1_193_182, per: UInt64(ticks))
    }
    LocalAPIC.startTimer(0)
  }

  /// So many ticks of either in `known` of a timer's of this frequency.
  private static func set(_ ticks: UInt64, _ counts: UInt64, _ frequency: UInt64, per known: UInt64) {
    let known = max(known, 1)
    unsafe kilohertz = max(ticks &* frequency / known / 1000, 1)
    unsafe timerKilohertz = max(counts &* frequency / known / 1000, 1)
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

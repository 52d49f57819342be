import CHypercall
import UserRuntime

/// The PC's clock, which a battery keeps (Motorola MC146818A), in UTC.
enum WallClock {
  private static func read(_ register: UInt8) -> UInt64 {
    h_out8(0x70, register)
    return UInt64(h_in8(0x71))
  }

  /// Seconds since 1970.
  static var seconds: UInt64 {
    var waits = 0
    while read(0x0a) & 0x80 != 0, waits < 1 << 16 { waits += 1 }
    let isBinary = read(0x0b) & 4 != 0
    func field(_ register: UInt8) -> UInt64 {
      let value = read(register)
      return isBinary ? value : (value >> 4) * 10 + value & 15
    }
    let (year, month, day) = (field(0x32) * 100 + field(9), field(8), field(7))
    guard year >= 1970, year < 2200, month >= 1, month <= 12 else { return 0 }
    return days(year, month, day) * 86400 + field(4) * 3600 + field(2) * 60 + field(0)
  }

  /// Of the Gregorian calendar since 1970, years beginning in March.
  private static func days(_ year: UInt64, _ month: UInt64, _ day: UInt64) -> UInt64 {
    let year = month < 3 ? year - 1 : year
    let month = (month + 9) % 12
    return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
  }
}

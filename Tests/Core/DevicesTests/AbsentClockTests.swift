import Testing

@testable import Devices

struct AbsentClockTests {
  /// As Linux's driver reads: the register's number, with the bit that keeps NMIs off or without, then its value.
  @Test(arguments: [0, 0x80] as [UInt64]) func noUpdateAndNothingToUse(_ masked: UInt64) {
    let clock = AbsentClock()
    func register(_ number: UInt64) -> UInt64 {
      clock.write(number | masked, offset: 0, width: 1)
      return clock.read(offset: 1, width: 1)
    }
    #expect(register(0xa) & 0x80 == 0)
    #expect(register(0xb) & 0x02 == 0)
    #expect(register(0xd) & 0x40 != 0)
    for number in 0...9 as ClosedRange<UInt64> { #expect(register(number) == 0) }
    clock.write(0xff, offset: 1, width: 1)
    #expect(register(0xa) == 0)
  }
}

import Testing
import VirtioTesting

@testable import Chipset

@Suite struct TranslationTests {
  private let long = Translation(cr0: 1 << 31 | 1, cr3: 0x1000, cr4: 1 << 5, efer: 1 << 10)

  @Test func pagesOfThreeSizes() throws {
    let memory = FakeGuestMemory(size: 1 << 20)
    try memory.store(UInt64(0x2003), at: 0x1000 + 8 * 1)
    try memory.store(UInt64(0x4000_0083), at: 0x2000 + 8 * 2)
    try memory.store(UInt64(0x3003), at: 0x2000)
    try memory.store(UInt64(0x8000_0000_0020_0083), at: 0x3000)
    try memory.store(UInt64(0x4003), at: 0x3000 + 8)
    try memory.store(UInt64(0x5003), at: 0x4000 + 8 * 3)
    let base: UInt64 = 1 << 39
    #expect(long.physical(base + 2 << 30 + 0x12_3456, memory) == 0x4012_3456)
    #expect(long.physical(base + 0x1_2345, memory) == 0x21_2345)
    #expect(long.physical(base + 1 << 21 + 0x3abc, memory) == 0x5abc)
    #expect(long.physical(base + 1 << 21 + 0x4abc, memory) == nil)
    #expect(long.physical(0, memory) == nil)
    // Instructions end where pages that there are not begin.
    try memory.store(UInt16(0x1089), at: 0x5ffe)
    let found = long.instruction(at: base + 1 << 21 + 0x3ffe, memory)
    #expect(found.count == 2 && found.bytes[0] == 0x89)
  }

  @Test func tablesThatAreNone() throws {
    let memory = FakeGuestMemory(size: 1 << 20)
    // One that leads to itself has an end, at a page of its own.
    try memory.store(UInt64(0x1003), at: 0x1000)
    #expect(long.physical(0x123, memory) == 0x1123)
    // And one outside of memory.
    try memory.store(UInt64(0x000f_ffff_ffff_f003), at: 0x1008)
    #expect(long.physical(1 << 39, memory) == nil)
    #expect(Translation(cr0: 1, cr3: 0, cr4: 0, efer: 0).physical(0x1_0000_1234, memory) == 0x1234)
    #expect(Translation(cr0: 1 << 31 | 1, cr3: 0x1000, cr4: 0, efer: 0).physical(0, memory) == nil)
  }

  @Test(arguments: [1_000_000, 2_000_000, 2_893_123, 100, 8_000_000] as [UInt64])
  func clock(_ kilohertz: UInt64) {
    let clock = GuestClock(kilohertz: kilohertz, start: 1000, seconds: 1_700_000_000)
    for seconds in [0, 1, 60, 86400, 40 * 86400] as [UInt64] {
      let found = clock.nanoseconds(at: 1000 + seconds * kilohertz * 1000)
      let wanted = seconds * 1_000_000_000
      // One part in 2^30.
      #expect(found <= wanted && wanted - found <= wanted >> 30 + 2)
    }
    #expect(clock.wallSeconds(at: 1000 + kilohertz * 1500) == 1_700_000_001)
  }
}

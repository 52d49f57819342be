import Boot
import Testing

@Suite struct MemoryMapTests {
  private let gigabyte: UInt64 = 1 << 30

  @Test func smallMemoryIsOneRange() throws {
    let map = try MemoryMap(size: 128 << 20)
    #expect(map.ram == [0..<(128 << 20)])
    #expect(
      map.entries == [
        .init(0..<0xa_0000, .ram), .init(0xe_0000..<0xf_e000, .acpiTables), .init(0xf_e000..<0x10_0000, .reserved),
        .init(0x10_0000..<0x800_0000, .ram),
      ])
  }

  @Test func threeGigabytesEndAtTheHole() throws {
    let map = try MemoryMap(size: 3 * gigabyte)
    #expect(map.ram == [0..<0xc000_0000])
    #expect(map.entries.last == .init(0x10_0000..<0xc000_0000, .ram))
  }

  @Test(arguments: [3 * UInt64(1 << 30) + 4096, 5 << 30, 256 << 30])
  func theHoleMovesTheRestUp(size: UInt64) throws {
    let map = try MemoryMap(size: size)
    #expect(map.ram == [0..<0xc000_0000, 0x1_0000_0000..<(size + gigabyte)])
    #expect(map.entries.last == .init(0x1_0000_0000..<(size + gigabyte), .ram))
    #expect(map.ram.reduce(0) { $0 + UInt64($1.count) } == size)
    #expect(map.low == 0..<0xc000_0000)
  }

  @Test func refusesOddSizes() {
    #expect(throws: BootError.badMemorySize(0)) { _ = try MemoryMap(size: 0) }
    #expect(throws: BootError.badMemorySize(0xf_f000)) { _ = try MemoryMap(size: 0xf_f000) }
    #expect(throws: BootError.badMemorySize((64 << 20) + 1)) { _ = try MemoryMap(size: (64 << 20) + 1) }
    #expect(throws: BootError.memoryTooLarge(size: (256 << 30) + 4096, limit: 256 << 30)) {
      _ = try MemoryMap(size: (256 << 30) + 4096)
    }
  }

  @Test func oneMegabyteHasNoEmptyEntry() throws {
    #expect(try MemoryMap(size: 1 << 20).entries.count == 3)
  }

  @Test func reservesInOrder() throws {
    var map = try MemoryMap(size: 5 * gigabyte)
    try map.reserve(0xfffb_c000..<0xfffc_0000)
    try map.reserve(0xe000_0000..<0xf000_0000)
    #expect(
      map.entries.dropFirst(4) == [
        .init(0xe000_0000..<0xf000_0000, .reserved), .init(0xfffb_c000..<0xfffc_0000, .reserved),
        .init(0x1_0000_0000..<0x1_8000_0000, .ram),
      ])
    #expect(throws: BootError.self) { try map.reserve(0xefff_f000..<0xf000_1000) }
    #expect(throws: BootError.self) { try map.reserve(0x20_0000..<0x20_1000) }
  }
}

import Testing

@testable import PCI

struct MemoryDecoderTests {
  private static let registers = BaseAddress(index: 0, size: 0x4000)
  private static let window = BaseAddress(index: 2, size: 4 << 30, is64Bit: true)

  private var decoder = MemoryDecoder(windows: [0xe000_0000..<0xf000_0000, 0x1_0000_0000..<0x3_0000_0000])

  @Test mutating func findsWhatAnswers() {
    #expect(decoder.find(0xe000_0000, width: 4) == nil)
    #expect(decoder.move(Self.registers, of: 3, to: 0xe000_4000) == 0xe000_4000)
    #expect(decoder.move(Self.window, of: 4, to: 0x1_0000_0000) == 0x1_0000_0000)
    #expect(decoder.find(0xe000_4000, width: 4)?.device == 3)
    #expect(decoder.find(0xe000_7fff, width: 1)?.address == 0xe000_4000)
    #expect(decoder.find(0xe000_7ffe, width: 4) == nil && decoder.find(0xe000_8000, width: 1) == nil)
    #expect(decoder.find(0x1_ffff_fff8, width: 8)?.region == Self.window)
    decoder.move(Self.registers, of: 3, to: 0xe100_0000)
    #expect(decoder.find(0xe000_4000, width: 4) == nil && decoder.find(0xe100_0000, width: 4)?.device == 3)
    decoder.move(Self.registers, of: 3, to: nil)
    #expect(decoder.find(0xe100_0000, width: 4) == nil)
  }

  @Test(
    arguments: [0, 0xdfff_c000, 0xdfff_e000, 0xefff_e000, 0xf000_0000, 0xffff_c000, 0x3_0000_0000, .max - 0x3fff]
      as [UInt64])
  mutating func outsideNothingAnswers(address: UInt64) {
    #expect(decoder.move(Self.registers, of: 1, to: address) == nil)
    #expect(decoder.find(address, width: 1) == nil)
  }

  @Test mutating func ofTwoAtOnePlaceTheFirstAnswers() {
    decoder.move(Self.registers, of: 1, to: 0xe000_0000)
    decoder.move(Self.registers, of: 2, to: 0xe000_0000)
    #expect(decoder.find(0xe000_0000, width: 4)?.device == 1)
    decoder.move(Self.registers, of: 1, to: nil)
    #expect(decoder.find(0xe000_0000, width: 4)?.device == 2)
  }
}

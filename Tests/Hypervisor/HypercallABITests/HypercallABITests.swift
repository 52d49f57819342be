import Testing

@testable import HypercallABI

@Suite struct HypercallABITests {
  @Test func ranges() {
    let range = CapabilityRange(.memory, base: 0x12345, order: 4, rights: 3)
    #expect(range.rawValue == 0x12345 << 12 | 4 << 7 | 3 << 2 | 1)
    #expect(range.base == 0x12340 && range.order == 4 && range.rights == 3 && range.kind == .memory)
    #expect(CapabilityRange.null.kind == .none)
  }

  /// Of the larger of two ranges, the hotspot chooses the part.
  @Test func meetings() {
    let small = CapabilityRange(.memory, base: 0x40, order: 2)
    let large = CapabilityRange(.memory, base: 0x100, order: 5)
    let into = small.meeting(large, hotspot: 0x13)
    #expect(into.source == 0x40 && into.target == 0x110 && into.order == 2)
    let out = large.meeting(small, hotspot: 0x1f)
    #expect(out.source == 0x11c && out.target == 0x40 && out.order == 2)
    let same = small.meeting(small, hotspot: .max)
    #expect(same.source == 0x40 && same.target == 0x40 && same.order == 2)
  }

  @Test func messageBlocks() {
    let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 512)
    defer { unsafe words.deallocate() }
    unsafe words.initialize(repeating: 0, count: 512)
    let block = unsafe MessageBlock(words)
    block.setCounts(untyped: 5, typed: 2)
    #expect(block.untyped == 5 && block.typed == 2)
    block.counts = 0xffff_ffff
    #expect(block.untyped == 508 && block.typed == 254)
    block.setWord(507, 9)
    #expect(unsafe words[511] == 9)
    block.setItem(0, TypedItem(.null, word: 0xfff_f902))
    #expect(block.item(0).action == .translateOrDelegate && block.item(0).hotspot == 0xffff)
    #expect(block.item(0).forDMA && block.item(0).fromKernel && !block.item(0).forGuest)
    block[half: 68] = 7
    #expect(block[64] == 7 << 32 && block[half: 68] == 7 && block[half: 64] == 0)
  }
}

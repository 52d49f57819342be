import GuestMemory
import Testing
import VirtioTesting

@Suite struct WordsOfBytesTests {
  private func firstOutside(_ bytes: [UInt8], from start: Int) -> Int? {
    bytes.span.firstWord(from: start, outside: 0x8000_0000, count: 0x200_0000)
  }

  private func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  /// Wherever it is among those that are looked at together, and behind the last of these.
  @Test(arguments: [0, 1, 63, 64, 65, 127, 128, 199]) func theFirstWordOutsideIsFound(_ place: Int) {
    var words = [UInt32](repeating: 0x8100_0000, count: 200)
    #expect(firstOutside(bytes(words), from: 0) == nil)
    for wrong in [0, 0x7fff_ffff, 0x8200_0000, .max] as [UInt32] {
      words[place] = wrong
      let all = bytes(words)
      #expect(firstOutside(all, from: 0) == place)
      #expect(firstOutside(all, from: place + 1) == nil)
    }
  }

  @Test func integersAreAddedToWithinTheSlice() throws {
    let memory = FakeGuestMemory(size: 4096)
    let slice = try memory.slice(at: 0, count: 32)
    func add<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at places: [UInt32], of slice: GuestSlice) -> Bool {
      let places = bytes(places)
      return slice.add(value, at: places.span, lessBase: 0x100)
    }
    #expect(add(UInt64(5), at: [0x100, 0x118], of: slice))
    #expect(try slice.load(UInt64.self, at: 0) == 5)
    #expect(try slice.load(UInt64.self, at: 24) == 5)
    #expect(add(UInt32(0) &- 6, at: [0x100], of: slice))
    #expect(try slice.load(UInt64.self, at: 0) == 0xffff_ffff)
    for outside in [0xff, 0x119, 0, .max] as [UInt32] {
      #expect(!add(UInt64(5), at: [outside], of: slice))
    }
    #expect(try memory.load(UInt64.self, at: 40) == 0)
    #expect(!add(UInt32(1), at: [0x100], of: .empty))
  }
}

import GuestMemory
import Testing
import VirtioTesting

struct GuestMemoryTests {
  /// Two regions with a hole between them.
  private static func split() -> GuestMemory {
    func region(_ base: GuestAddress, _ count: Int) -> GuestMemory.Region {
      let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
      _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
      return unsafe GuestMemory.Region(base: base, bytes: bytes)
    }
    return GuestMemory(regions: [region(0x1_0000_0000, 0x2000), region(0, 0x1000)])
  }

  @Test func regionsAreSorted() {
    let memory = Self.split()
    #expect(memory.regions.map(\.base) == [0, 0x1_0000_0000])
    #expect(memory.size == 0x3000)
  }

  @Test(
    arguments: [
      (0x1000, 1), (0xfff, 2), (0x8000_0000, 1), (0xffff_ffff, 1), (0xffff_ffff, 2), (0x1_0000_1fff, 2),
      (0x1_0000_2000, 1), (UInt64.max, 1), (UInt64.max, 2), (0, 0x1001), (0, Int.max), (0, -1),
      (0x1_0000_0000, Int.min),
      (UInt64.max - 4, Int.max),
    ] as [(UInt64, Int)])
  func outside(address: UInt64, count: Int) {
    #expect(throws: GuestMemoryError.outside(address: address, count: count)) {
      try Self.split().slice(at: address, count: count)
    }
  }

  @Test(arguments: [(0, 0x1000), (0xfff, 1), (0x1_0000_0000, 0x2000), (0x1_0000_1fff, 1)] as [(UInt64, Int)])
  func inside(address: UInt64, count: Int) throws {
    let memory = Self.split()
    let slice = try memory.slice(at: address, count: count)
    #expect(slice.count == count)
    slice.fill(0xa5)
    #expect(try memory.read(count: count, at: address) == [UInt8](repeating: 0xa5, count: count))
  }

  @Test func noBytesAreAnywhere() throws {
    #expect(try Self.split().slice(at: .max, count: 0).count == 0)
  }

  @Test func integersAreLittleEndianAtAnyAlignment() throws {
    let memory = Self.split()
    try memory.store(0x1122_3344_5566_7788 as UInt64, at: 3)
    #expect(try memory.read(count: 8, at: 3) == [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11])
    #expect(try memory.load(UInt16.self, at: 4) == 0x6677)
    #expect(throws: GuestMemoryError.self) { try memory.load(UInt64.self, at: 0xff9) }
    #expect(throws: GuestMemoryError.self) { try memory.store(0 as UInt32, at: 0xffd) }
  }

  @Test func atomicsWantAlignmentAndRAM() throws {
    let memory = Self.split()
    let cell = try GuestAtomic16(memory, at: 0x10)
    cell.store(0xbeef)
    #expect(cell.load() == 0xbeef)
    #expect(try memory.read(count: 2, at: 0x10) == [0xef, 0xbe])
    #expect(throws: GuestMemoryError.misaligned(address: 0x11)) { try GuestAtomic16(memory, at: 0x11) }
    #expect(throws: GuestMemoryError.self) { try GuestAtomic16(memory, at: 0x1000) }
  }
}

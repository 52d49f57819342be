import GuestMemory
import Testing
import VirtioTesting

struct GuestSliceTests {
  private let slice = try! FakeGuestMemory(size: 4096).slice(at: 0x100, count: 16)

  @Test(arguments: [-1, 9, 15, 16, 17, Int.max, Int.min])
  func integersStayInside(offset: Int) {
    #expect(throws: GuestMemoryError.self) { try slice.load(UInt64.self, at: offset) }
    #expect(throws: GuestMemoryError.self) { try slice.store(0 as UInt64, at: offset) }
  }

  @Test func lastPlaceIsInside() throws {
    try slice.store(UInt64.max, at: 8)
    #expect(try slice.load(UInt64.self, at: 8) == .max)
  }

  @Test func dropping() {
    #expect(slice.dropping(0).count == 16)
    #expect(slice.dropping(15).count == 1)
    #expect(slice.dropping(16).count == 0)
    #expect(slice.dropping(-1).count == 0)
    #expect(slice.dropping(.max).count == 0)
    #expect(slice.dropping(4, count: 5).count == 5)
    #expect(slice.dropping(14, count: 5).count == 2)
    #expect(slice.dropping(4, count: -5).count == 0)
    slice.dropping(4, count: 2).fill(1)
    #expect(slice.bytes() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  }

  @Test func copiesEndWithTheShorterSide() {
    #expect(slice.copy(from: [UInt8](1...20)) == 16)
    #expect(slice.bytes() == [UInt8](1...16))
    #expect(slice.copy(from: [9, 8, 7], at: 1) == 2)
    #expect(slice.bytes().prefix(3) == [8, 7, 3])
    #expect(slice.copy(from: [9], at: 1) == 0)
    #expect(slice.copy(from: [9], at: -1) == 0)
    #expect(GuestSlice.empty.copy(from: [1]) == 0)
    #expect(GuestSlice.empty.bytes() == [])
  }

  @Test func aWindowIsForTheHostsKernelOnly() throws {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 8)
    _ = bytes.initializeMemory(as: UInt8.self, repeating: 7)
    defer { bytes.deallocate() }
    let memory = GuestMemory(regions: [unsafe GuestMemory.Region(base: 0x1000, bytes: bytes, isWindow: true)])
    #expect(memory.size == 0)
    let slice = try memory.slice(at: 0x1000, count: 64).dropping(8)
    #expect((slice.count, slice.isWindow) == (56, true))
    #expect(throws: GuestMemoryError.self) { try slice.load(UInt32.self, at: 0) }
    #expect(throws: GuestMemoryError.self) { try slice.store(UInt32(1), at: 0) }
    #expect(throws: GuestMemoryError.self) { try memory.load(UInt8.self, at: 0x1000) }
    #expect(throws: GuestMemoryError.self) { try GuestAtomic16(memory, at: 0x1000) }
    #expect(slice.bytes() == [UInt8](repeating: 0, count: 56) && slice.copy(from: [1, 2]) == 0)
    slice.fill(1)
    #expect(bytes[8] == 7)
    #expect(unsafe slice.hostBytes.count == 56)
  }
}

import LittleEndian
import Testing

struct LittleEndianTests {
  @Test func lowByteFirst() {
    #expect(littleEndian(UInt8(7)) == [7])
    #expect(littleEndian(UInt32(0x1234_5678)) == [0x78, 0x56, 0x34, 0x12])
    var bytes: [UInt8] = [1, 0, 0, 2]
    bytes.put(UInt16(0xabcd), at: 1)
    #expect(bytes == [1, 0xcd, 0xab, 2])
    bytes.append(field: UInt64.max - 1)
    #expect(bytes.count == 12 && bytes.field(UInt64.self, at: 4) == .max - 1)
    #expect(bytes.field(at: 1) == UInt16(0xabcd))
  }

  @Test(arguments: [-1, 5, 6, 7, 8, .max, .min])
  func noFieldBeyondTheBytes(offset: Int) {
    let bytes = [UInt8](repeating: 1, count: 8)
    #expect(bytes.span.field(UInt32.self, at: offset) == nil)
    #expect([UInt8]().span.field(UInt8.self, at: offset) == nil)
  }

  @Test func fieldAtEachEnd() {
    let bytes: [UInt8] = [1, 2, 3, 4, 5]
    #expect(bytes.span.field(UInt16.self, at: 0) == 0x0201)
    #expect(bytes.span.field(UInt16.self, at: 3) == 0x0504)
  }
}

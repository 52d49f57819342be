import Testing

@testable import NovmKit

struct ByteStringTests {
  @Test(
    arguments: [
      Array("plain".utf8),
      Array("gr\u{FC}\u{DF} \u{1F600}".utf8),
      [],
      [0xff],
      [0xc3],
      [0x61, 0xff, 0xfe, 0xc3, 0xa9, 0x7a],
      // A code point that stands for a byte is itself carried as bytes.
      Array("\u{10FF41}".utf8),
      // An encoded surrogate, and an overlong slash.
      [0xed, 0xa0, 0x80, 0xc0, 0xaf],
      Array(1...255),
    ] as [[UInt8]])
  func thereAndBack(_ bytes: [UInt8]) {
    #expect(ByteString.bytes(ByteString.string(bytes)) == bytes)
  }

  @Test func textStaysText() {
    #expect(ByteString.string(Array("h\u{E9}llo".utf8)) == "h\u{E9}llo")
    #expect(ByteString.bytes("h\u{E9}llo") == Array("h\u{E9}llo".utf8))
  }

  @Test func everyPairOfBytes() {
    for first in UInt8(0)...255 {
      for second in UInt8(0)...255 {
        guard ByteString.bytes(ByteString.string([first, second])) == [first, second] else {
          Issue.record("\(first) \(second)")
          return
        }
      }
    }
  }
}

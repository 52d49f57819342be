import Testing

@testable import Host

struct MixedTextTests {
  @Test func scalarsAndBytes() {
    let bytes: [UInt8] = Array("a\u{E9}".utf8) + [0xff] + Array("\u{1F600}".utf8) + [0xc3]
    #expect(
      Array(MixedText(bytes)) == [.scalar("a"), .scalar("\u{E9}"), .byte(0xff), .scalar("\u{1F600}"), .byte(0xc3)])
  }

  @Test(
    arguments: [
      [0xed, 0xa0, 0x80],  // A surrogate.
      [0xc0, 0xaf],  // An overlong slash.
      [0xf0, 0x9f, 0x98],  // Cut short.
      [0xf4, 0x90, 0x80, 0x80],  // Beyond the last code point.
    ] as [[UInt8]])
  func whatIsNoTextIsBytes(_ bytes: [UInt8]) {
    #expect(Array(MixedText(bytes)) == bytes.map { .byte($0) })
  }

  @Test func everyTripleOfBytesComesBack() {
    for first in UInt8(0xc0)...255 {
      for second in UInt8(0x70)...255 {
        for third in [0x00, 0x7f, 0x80, 0xbf, 0xc3, 0xff] as [UInt8] {
          let bytes = MixedText([first, second, third]).flatMap { piece in
            switch piece {
            case .scalar(let scalar): Array(String(scalar).utf8)
            case .byte(let byte): [byte]
            }
          }
          guard bytes == [first, second, third] else {
            Issue.record("\(first) \(second) \(third): \(bytes)")
            return
          }
        }
      }
    }
  }

  @Test(arguments: [
    ("plain", "plain"),
    ("gr\u{FC}\u{DF}e", "gr\u{FC}\u{DF}e"),
    ("a\nb\u{1B}[2J", "a\\x0ab\\x1b[2J"),
    ("c1 \u{9B}2J", "c1 \\xc2\\x9b2J"),
    ("\u{202E}gpj.exe", "\\xe2\\x80\\xaegpj.exe"),
  ])
  func onlyWhatIsPrintableIsPrinted(_ text: String, _ printed: String) {
    #expect(String(printable: Array(text.utf8)) == printed)
  }

  @Test func bytesArePrintedAsEscapes() {
    #expect(String(printable: Array("/odd ".utf8) + [0xff, 0x00]) == "/odd \\xff\\x00")
  }
}

import Testing

@testable import NovmKit

struct TerminalTextTests {
  private func shown(_ bytes: [UInt8], in pieces: Int = .max) -> String {
    var text = TerminalText()
    var shown: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      shown += text.take(rest.prefix(pieces))
      rest = rest.dropFirst(pieces)
    }
    return String(decoding: shown + text.finish(), as: UTF8.self)
  }

  @Test(arguments: [
    ("a\tb\nc", "a\tb\nc"), ("grün 日本 🙂\n", "grün 日本 🙂\n"), ("dos\r\n", "dos\n"),
    ("over\rwritten\n", "over\\x0dwritten\n"),
    ("\u{1B}[2J\u{1B}]52;c;eA==\u{07}", "\\x1b[2J\\x1b]52;c;eA==\\x07"), ("\u{9B}31m", "\\xc2\\x9b31m"),
    ("\u{202E}txt\u{2066}", "\\xe2\\x80\\xaetxt\\xe2\\x81\\xa6"), ("\u{7F}\u{8}\u{0}", "\\x7f\\x08\\x00"),
    ("\r", "\\x0d"),
    ("", ""), ("\r\r\n", "\\x0d\n"),
  ])
  func isHarmless(_ text: String, _ expected: String) {
    for pieces in [1, 2, 3, 5, 1000] { #expect(shown(Array(text.utf8), in: pieces) == expected) }
  }

  @Test func whatIsNoTextIsShownAsItsBytes() {
    let bytes: [UInt8] = [0xff, 0x41, 0xc3, 0x0a, 0xe2, 0x80, 0x42, 0xf0, 0x9f, 0xfe, 0xf4]
    for pieces in [1, 2, 3, 1000] {
      #expect(shown(bytes, in: pieces) == "\\xffA\\xc3\n\\xe2\\x80B\\xf0\\x9f\\xfe\\xf4")
    }
  }
}

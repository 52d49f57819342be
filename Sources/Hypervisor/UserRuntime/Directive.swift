/// A line of the text that says what the root task starts: a word, and what follows it. Lines that are empty or begin with `#`
/// say nothing.
package struct Directive {
  package let key: [UInt8]
  /// To the end of the line.
  package let value: [UInt8]

  package static func all(in text: [UInt8]) -> [Directive] {
    text.split(separator: 10).compactMap { line -> Directive? in
      let line = line.drop { $0 == 32 || $0 == 9 }
      guard let first = line.first, first != UInt8(ascii: "#") else { return nil }
      let key = line.prefix { $0 != 32 }
      return Directive(key: [UInt8](key), value: [UInt8](line.dropFirst(key.count + 1)))
    }
  }

  package func isKey(_ name: StaticString) -> Bool { Self.equal(key, name) }

  /// Whether the root task knows what it says (docs/microhypervisor.md, "What root starts").
  package var isRoots: Bool {
    isKey("processors") || isKey("heap") || isKey("memory") || isKey("quota") || isKey("module") || isKey("ports")
      || isKey("interrupt") || isKey("streams") || isKey("until") || isKey("restart") || isKey("offers")
      || isKey("uses")
      || isKey("physical") || isKey("dma")
  }

  /// As it stood.
  package var line: [UInt8] { key + [32] + value }

  package var words: [[UInt8]] { value.split(separator: 32).map { [UInt8]($0) } }

  /// Decimal; nil where it is none.
  package static func number(_ word: [UInt8]) -> UInt64? {
    guard !word.isEmpty, word.count < 19 else { return nil }
    var value: UInt64 = 0
    for byte in word {
      guard byte >= 48, byte < 58 else { return nil }
      value = value * 10 + UInt64(byte - 48)
    }
    return value
  }

  package var number: UInt64? { Self.number(value) }

  package static func equal(_ bytes: [UInt8], _ name: StaticString) -> Bool {
    guard bytes.count == name.utf8CodeUnitCount else { return false }
    // Within the literal.
    for index in bytes.indices where unsafe bytes[index] != name.utf8Start[index] { return false }
    return true
  }
}

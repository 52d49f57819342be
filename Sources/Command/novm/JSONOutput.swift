import FoundationEssentials

/// What commands print under `--json`.
enum JSONOutput {
  /// The encoder leaves DEL and C1 as they are, which JSON allows (RFC 8259, 7), and terminals may heed. Outside of strings
  /// there are none.
  static func harmless(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { (0x7f..<0xa0).contains($0.value) }) else { return text }
    var harmless = ""
    for scalar in text.unicodeScalars {
      if (0x7f..<0xa0).contains(scalar.value) {
        harmless += "\\u00\(String(scalar.value, radix: 16))"
      } else {
        harmless.unicodeScalars.append(scalar)
      }
    }
    return harmless
  }

  static func print(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    Swift.print(harmless(String(decoding: try encoder.encode(value), as: UTF8.self)))
  }
}

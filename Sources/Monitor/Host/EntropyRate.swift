/// How many random bytes a guest gets in a second, as `--entropy-rate` takes it.
package struct EntropyRate: Equatable, Sendable {
  package static let range = 64...1 << 30
  package static let mend = "give bytes in a second, from 64 on: 4096, 64K, 1M"

  package let bytes: Int

  /// Parses a number, perhaps with K, M or G; nil for anything else, and what is not in `range`.
  package init?(_ text: String) {
    guard let bytes = Quantity.parse(text, in: Self.range) else { return nil }
    self.bytes = bytes
  }
}

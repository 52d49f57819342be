/// How far one node is from another: 10 is what each is from itself, 20 twice as slow, 255 out of reach (ACPI 6.5, 5.2.17).
package struct NUMADistance: Equatable, Sendable {
  package var source: Int
  package var target: Int
  package var value: UInt8

  package static let itself: UInt8 = 10
  /// What Linux takes for two nodes of which it is told nothing.
  package static let usual: UInt8 = 20

  /// Parses `SOURCE,TARGET=VALUE`, as virtme-ng has it.
  ///
  /// - Returns: nil for anything else, for what is nearer than a node is to itself, and for another value of that.
  package init?(_ text: [UInt8]) {
    let sides = text.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
    guard sides.count == 2 else { return nil }
    let nodes = sides[0].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard nodes.count == 2, let source = NUMALayout.number(nodes[0]), let target = NUMALayout.number(nodes[1]),
      let number = NUMALayout.number(sides[1]), let value = UInt8(exactly: number)
    else { return nil }
    guard source == target ? value == Self.itself : value > Self.itself else { return nil }
    self.source = source
    self.target = target
    self.value = value
  }

  /// As it is parsed.
  package var description: String { "\(source),\(target)=\(value)" }
}

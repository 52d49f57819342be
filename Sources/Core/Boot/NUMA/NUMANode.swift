/// Memory and processors that are near to each other, as a user asks for them.
package struct NUMANode: Equatable, Sendable {
  /// MiB.
  package var memory: Int
  /// Processors by their numbers, which count from 0.
  package var processors: [ClosedRange<Int>]

  package init(memory: Int, processors: [ClosedRange<Int>] = []) {
    self.memory = memory
    self.processors = processors
  }

  /// Parses `MIB[,cpus=FIRST[-LAST]]...`, as virtme-ng has it.
  ///
  /// - Returns: nil for anything else.
  package init?(_ text: [UInt8]) {
    let parts = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard let first = parts.first, let memory = NUMALayout.number(first) else { return nil }
    self.memory = memory
    processors = []
    for part in parts.dropFirst() {
      guard let range = Self.range(part) else { return nil }
      processors.append(range)
    }
  }

  /// `cpus=FIRST[-LAST]`.
  private static func range(_ part: ArraySlice<UInt8>) -> ClosedRange<Int>? {
    guard part.starts(with: "cpus=".utf8) else { return nil }
    let ends = part.dropFirst("cpus=".utf8.count).split(
      separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let start = ends.first, let end = ends.last, let lower = NUMALayout.number(start),
      let upper = NUMALayout.number(end), lower <= upper
    else { return nil }
    return lower...upper
  }

  /// As it is parsed.
  package var description: String {
    var text = "\(memory)"
    for range in processors { text += ",cpus=\(range.lowerBound)-\(range.upperBound)" }
    return text
  }
}

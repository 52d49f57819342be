/// What a guest makes its monitor hold (docs/architecture.md, "Control").
package struct MonitorUsage: Encodable, Equatable, Sendable {
  /// A write map with a limit (`--write-limit`).
  package struct Written: Encodable, Equatable, Sendable {
    package var bytes: UInt64
    package var limit: UInt64
    /// Names of files, directories and all else.
    package var names: UInt64
    package var nameLimit: UInt64?

    /// How much of what it may hold it does, from 0 to 1.
    var share: Double { max(part(bytes, limit), nameShare) }
    /// Whether it is nearer to its limit of names than to that of bytes.
    package var isFullerOfNames: Bool { nameShare > part(bytes, limit) }
    private var nameShare: Double { nameLimit.map { part(names, $0) } ?? 0 }

    private func part(_ used: UInt64, _ limit: UInt64) -> Double { limit == 0 ? 1 : Double(used) / Double(limit) }
  }

  /// Files and directories that the guest knows.
  package var nodes: UInt64 = 0
  /// Connections by vsock: commands, published ports, those that others have opened.
  package var streams: UInt64 = 0
  package var written: [Written] = []

  /// The one that is nearest to its limit.
  package var fullest: Written? { written.max { $0.share < $1.share } }

  /// Reads `usage [KEY=VALUE]...`; what it does not know is left out.
  init?(_ text: String) {
    let words = text.split(separator: " ")
    guard words.first == "usage" else { return nil }
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", omittingEmptySubsequences: false)
      guard parts.count == 2 else { return nil }
      let numbers = parts[1].split(separator: "/", omittingEmptySubsequences: false).map { UInt64($0) }
      let values = numbers.compactMap(\.self)
      guard values.count == numbers.count else { return nil }
      switch (parts[0], values.count) {
      case ("nodes", 1): nodes = nodes.addingReportingOverflow(values[0]).partialValue
      case ("streams", 1): streams = values[0]
      case ("written", 3), ("written", 4):
        written.append(
          Written(bytes: values[0], limit: values[1], names: values[2], nameLimit: values.count == 4 ? values[3] : nil))
      default: break
      }
    }
  }
}

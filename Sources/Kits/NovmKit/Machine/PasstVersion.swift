/// The day that a passt's source is of, which is all the version that it has.
struct PasstVersion: Comparable {
  /// As the number YYYYMMDD.
  private let date: Int

  /// Before this, a passt may finish the handshake of a connection from outside only once the client has sent something,
  /// so that a server that speaks first never sees it; the mend, "tcp: Always send an ACK segment once the handshake is
  /// completed", is of autumn 2023. And until UDP had flows, in summer 2024, `--no-map-gw` loses what the guest answers to
  /// datagrams from the host's loopback.
  static let leadsInWell = PasstVersion(date: 2024_09_06)

  private init(date: Int) { self.date = date }

  /// Reads the first line of what `passt --version` writes: `passt 2023_09_08.05627dc`, or as distributions have it
  /// `passt 0.0~git20230309.7c7625d-1`. Nil for what names no day, such as Debian 12's `passt unknown version`.
  init?(_ output: String) {
    let line = output.prefix { !$0.isNewline }
    for word in line.split(whereSeparator: { !($0.isASCII && $0.isNumber || $0 == "_") }) {
      let parts = word.split(separator: "_", omittingEmptySubsequences: false)
      guard [[8], [4, 2, 2]].contains(parts.map(\.count)), let date = Int(parts.joined()),
        (2020_00_00..<2100_00_00).contains(date)
      else { continue }
      self.date = date
      return
    }
    return nil
  }

  static func < (one: PasstVersion, other: PasstVersion) -> Bool { one.date < other.date }
}

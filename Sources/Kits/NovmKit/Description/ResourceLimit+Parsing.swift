import AgentProtocol

extension ResourceLimit {
  private static let words = names.map(\.description)

  /// Parses Docker's `NAME=SOFT[:HARD]`, where a number is in the resource's own unit, and -1 or `unlimited` is none, but for
  /// `nofile`, which Linux lets be no more than `fs.nr_open` (setrlimit(2), EPERM).
  package init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let resource = Self.words.firstIndex(of: String(parts[0])) else { return nil }
    let values = parts[1].split(separator: ":", omittingEmptySubsequences: false).map(Self.value)
    guard (1...2).contains(values.count), let soft = values[0], let hard = values.last ?? nil else { return nil }
    if parts[0] == "nofile", hard == Self.unlimited { return nil }
    self.init(resource: UInt8(resource), soft: soft, hard: hard)
  }

  private static func value(_ text: Substring) -> UInt64? {
    if text == "-1" || text == "unlimited" { return unlimited }
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    return UInt64(text)
  }

  /// What a user does about one that is none.
  package static var advice: String {
    "is no limit; give NAME=SOFT or NAME=SOFT:HARD, such as nofile=1024:2048, with NAME one of "
      + words.joined(separator: ", ") + "; nofile takes numbers alone, up to the guest's fs.nr_open, 1048576 as a rule"
  }
}

import AgentProtocol

extension ResourceLimit {
  /// By their numbers (`asm-generic/resource.h`); as prlimit(1) and Docker have them, but for `as`, which Docker has not.
  private static let names = [
    "cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending",
    "msgqueue",
    "nice", "rtprio", "rttime",
  ]

  /// Parses Docker's `NAME=SOFT[:HARD]`, where a number is in the resource's own unit, and -1 or `unlimited` is none.
  package init?(_ text: String) {
    let words = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard words.count == 2, let resource = Self.names.firstIndex(of: String(words[0])) else { return nil }
    let values = words[1].split(separator: ":", omittingEmptySubsequences: false).map(Self.value)
    guard (1...2).contains(values.count), let soft = values[0], let hard = values.last ?? nil else { return nil }
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
      + names.joined(separator: ", ")
  }
}

/// A span of time as people write it: `90`, `90s`, `10m`, `2h`, `1d`.
package struct TimeSpan {
  package private(set) var seconds: Int

  /// For what is none.
  package static let advice = "is no time; give seconds, or a number with s, m, h or d, such as 10m"

  private static let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86400]

  /// nil for what is none.
  package init?(_ text: String) {
    let unit = text.last.flatMap { Self.units[$0] }
    let digits = unit == nil ? text[...] : text.dropLast()
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(digits) else {
      return nil
    }
    let (seconds, overflow) = count.multipliedReportingOverflow(by: unit ?? 1)
    if overflow { return nil }
    self.seconds = seconds
  }
}

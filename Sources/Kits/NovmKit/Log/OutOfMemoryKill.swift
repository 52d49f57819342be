/// A program that a guest's kernel ended for want of memory, as its log tells it (Linux, mm/oom_kill.c):
/// `Out of memory: Killed process 93 (python3) total-vm:1050880kB, anon-rss:402532kB, file-rss:…`.
package struct OutOfMemoryKill: Equatable, Sendable {
  package var program: String
  /// What it had of the memory, in bytes.
  package var size: UInt64

  /// - Parameter line: of the kernel's log; nil for another one.
  package init?(_ line: String) {
    guard let start = line.firstRange(of: "Out of memory: Killed process ")?.upperBound,
      let open = line[start...].firstIndex(of: "("), let size = Self.kibibytes("anon-rss:", in: line[start...])
    else { return nil }
    // The name may have parentheses and blanks of its own.
    guard let close = line.firstRange(of: ") total-vm:")?.lowerBound, open < close else { return nil }
    program = String(line[line.index(after: open)..<close])
    self.size = size << 10
  }

  private static func kibibytes(_ name: String, in text: Substring) -> UInt64? {
    guard let start = text.firstRange(of: name)?.upperBound,
      let value = UInt64(text[start...].prefix { $0.isASCII && $0.isNumber }), value < 1 << 40
    else { return nil }
    return value
  }
}

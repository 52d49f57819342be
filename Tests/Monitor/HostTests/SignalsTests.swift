import Foundation
import Host
import Testing

struct SignalsTests {
  /// What is written beyond RLIMIT_FSIZE, or to who is gone, is refused, and ends no machine.
  @Test func writesThatCannotBeEndNothing() throws {
    _ = try Signals.capture([])
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigIgn:") })
    let ignored = try #require(line.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) })
    for number in [SIGPIPE, SIGXFSZ] { #expect(ignored >> UInt64(number - 1) & 1 == 1, "signal \(number)") }
  }
}

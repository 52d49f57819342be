import Host
import Testing

@testable import Download

struct FetchReportTests {
  @Test(arguments: [
    FetchReport.progress(0, of: nil), .progress(7, of: .max), .done, .failed(.status(404)), .failed(.tooLarge),
    .failed(.connection("Could not resolve host: x")), .failed(.connection("")), .failed(.cut("no  more")),
    .failed(.write(Errno(28))), .failed(.untrusted("a b")), .failed(.other("words")), .head(404),
    .field("location", "/v2/x y"),
  ])
  func lines(_ report: FetchReport) {
    #expect(FetchReport(line: report.line) == report)
  }

  @Test func longWords() {
    let report = FetchReport.failed(.cut(String(repeating: "é\n", count: 10_000)))
    #expect(report.line.count == FetchReport.limit && !report.line.contains(10))
    #expect(FetchReport(line: report.line) != nil)
  }

  @Test(arguments: [
    "", " ", "done ", "Done", "progress", "progress ", "progress -1", "progress 1 ", "progress 1 2 3",
    "progress 18446744073709551616", "progress 0x1", "failed", "failed ", "failed too-large x", "failed status",
    "failed status 9223372036854775808", "failed status +", "failed write 2147483648", "failed others words", "head",
    "head x", "head 1 2",
    "field", "field a",
  ])
  func nonsense(_ line: String) {
    #expect(FetchReport(line: Array(line.utf8)) == nil)
  }

  @Test func anyBytes() {
    #expect(FetchReport(line: [0xff, 0, 0x80]) == nil)
    #expect(FetchReport(line: Array("failed cut ".utf8) + [0xff]) == .failed(.cut("\u{fffd}")))
    #expect(FetchReport(line: Array(repeating: UInt8(ascii: "1"), count: FetchReport.limit + 1)) == nil)
  }
}

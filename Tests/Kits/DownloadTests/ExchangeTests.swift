import Foundation
import HostTesting
import Testing

@testable import Download

/// A program in the place of `nofetch`.
@Suite(.timeLimit(.minutes(5)))
struct ExchangeTests {
  /// - Parameter script: as for `FetchScript`.
  private func answer(_ script: String, fields: [Exchange.Field] = []) throws -> Exchange.Answer {
    try FetchScript.with(script) { program in
      var exchange = try Exchange("http://x/y", limit: 10)
      exchange.fields = fields
      return try exchange.perform(by: program)
    }
  }

  /// They end what an order and a request say, and more would be said by what comes behind.
  @Test(arguments: ["a\0verify=no", "a\r\nX: y", "a\n", "\u{7f}"])
  func fieldsThatAreNone(value: String) throws {
    let script = "printf 'head 200\\ndone\\n' >&$report"
    #expect(try answer(script, fields: [.init("X", "é")]).status == 200)
    #expect(throws: DownloadError.self) { try answer(script, fields: [.init("X", value)]) }
    #expect(throws: DownloadError.self) { try answer(script, fields: [.init(value, "x")]) }
  }

  /// More fields than a pipe has room for, and only then the body.
  @Test func manyFields() throws {
    let answer = try answer(
      """
      printf 'head 200\\n' >&$report
      for i in {1..100}; do printf 'field x %03900d\\n' $i >&$report; done
      printf hello >&$answer
      printf 'done\\n' >&$report
      """)
    #expect(answer.status == 200 && answer.body == Array("hello".utf8) && answer.fields.count == 64)
  }

  /// The last word is that, and who stays is not waited for.
  @Test func whoStays() throws {
    let answer = try answer(
      "printf 'head 401\\nhead 404\\ndone\\nhead 200\\n' >&$report; eval \"exec $answer>&-\"; exec sleep 600")
    #expect(answer.status == 404 && answer.body == [])
  }
}

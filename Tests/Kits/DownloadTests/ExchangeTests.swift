import Foundation
import HostTesting
import Testing

@testable import Download

/// A program in the place of `nofetch`.
@Suite(.timeLimit(.minutes(1)))
struct ExchangeTests {
  /// - Parameter script: a shell's, where `$report` and `$answer` are the descriptors.
  private func answer(_ script: String) throws -> Exchange.Answer {
    let program = FileManager.default.temporaryDirectory.appendingPathComponent("novm-exchange-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: program) }
    let text = """
      #!/bin/bash
      for word; do
        case $word in
          --report=fd:*) report=${word#*:} ;;
          --answer=fd:*) answer=${word#*:} ;;
        esac
      done
      \(script)

      """
    try MadeProgram.write(program, text)
    return try Exchange("http://x/y", limit: 10).perform(by: program)
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

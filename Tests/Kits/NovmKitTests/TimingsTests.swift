import Testing

@testable import NovmKit

struct TimingsTests {
  private func made(_ marks: [(String, UInt64)]) -> Timings {
    let result = Timings()
    for (name, milliseconds) in marks {
      result.mark(name, at: MonotonicTime(nanoseconds: 1_000_000_000 + milliseconds * 1_000_000))
    }
    return result
  }

  @Test func phasesFollowEachOther() {
    let phases = made([
      ("start", 0), ("spawn", 10), ("novmm.first-entry", 20), ("ready", 80), ("command", 85), ("ended", 90),
      ("gone", 97),
      ("end", 100),
    ]).phases
    #expect(
      phases.map(\.name) == [
        "compose", "start of novmm", "kernel and init", "start of command", "command", "shutdown", "clean-up",
      ])
    #expect(phases.map { Int($0.milliseconds) } == [10, 10, 60, 5, 5, 7, 3])
  }

  @Test func theFirstMarkOfANameCounts() {
    let phases = made([("start", 0), ("spawn", 10), ("spawn", 50), ("end", 100)]).phases
    #expect(phases.map { Int($0.milliseconds) } == [10, 90])
  }

  @Test func barsLieWhereTheTimeWent() {
    let lines = made([("start", 0), ("spawn", 50), ("end", 100)]).table(width: 10).split(separator: "\n")
    #expect(lines.count == 3)
    #expect(lines[0].hasSuffix("50.0 %  █████"))
    #expect(lines[1].hasSuffix("50.0 %       █████"))
    #expect(lines[2].hasSuffix("100.0 ms  100.0 %  ██████████"))
  }

  @Test func nothingWithoutAnEnd() {
    #expect(made([("start", 0)]).table() == "")
  }
}

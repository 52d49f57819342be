import Testing

@testable import NovmKit

struct OutOfMemoryKillTests {
  @Test func isTakenFromTheKernelsLine() throws {
    let rest =
      "total-vm:1050880kB, anon-rss:402532kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:828kB oom_score_adj:0"
    for (text, program) in [("python3", "python3"), ("a (b) c", "a (b) c"), ("", "")] {
      let kill = try #require(OutOfMemoryKill("[    3.141592] Out of memory: Killed process 93 (\(text)) \(rest)"))
      #expect(kill.program == program && kill.size == 402_532 << 10)
    }
    for line in [
      "", "Out of memory: Killed process 93", "Out of memory: Killed process 93 (x) total-vm:1kB",
      "Out of memory: Killed process 93 (x) total-vm:1kB, anon-rss:99999999999999999999kB",
      "Killed process 1 (x) \(rest)",
      ") total-vm: Out of memory: Killed process ( anon-rss:1kB",
    ] { #expect(OutOfMemoryKill(line) == nil) }
  }
}

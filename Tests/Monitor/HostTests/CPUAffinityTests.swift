import Glibc
import Host
import Testing

struct CPUAffinityTests {
  private func affinity(_ text: String) -> CPUAffinity? { CPUAffinity(Array(text.utf8)) }

  @Test(arguments: [
    "", ",", "0,", "1-", "-1", "2-1", "0-1-2", "a", "1024", "0=", "=0", "0=0:", "0=0:0=1", "0=0;1=1", "0:1", "99999",
  ])
  func refuses(_ text: String) { #expect(affinity(text) == nil) }

  @Test func tellsWhatIsMissing() throws {
    #expect(try #require(affinity("0-1023")).missing != nil)
    #expect(try #require(affinity("0=0:5=1023")).missing == 1023)
    #expect(affinity("0=0:5=1")?.lastVCPU == 5 && affinity("0")?.lastVCPU == nil)
  }

  /// In a thread of its own, which ends with its binding.
  @Test func bindsTheThreadOfAVCPU() throws {
    let cpu = try #require((0..<1024).first { affinity("\($0)")?.missing == nil })
    let mine = try #require(affinity("\(cpu)"))
    #expect(mine.missing == nil)
    let others = try #require(affinity("7=\(cpu)"))
    for (affinity, vcpu, isBound) in [(mine, 0, true), (others, 7, true), (others, 0, false)] {
      nonisolated(unsafe) var result: (before: Int, after: Int)?
      try Thread("bound") {
        let before = Self.count
        try? affinity.bind(vcpu: vcpu)
        result = (before, Self.count)
      }.join()
      let (before, after) = try #require(result)
      #expect(after == (isBound ? 1 : before))
    }
  }

  /// How many CPUs the thread may run on, as proc(5) has it: a mask in hexadecimal.
  private static var count: Int {
    var bytes = [UInt8](repeating: 0, count: 16384)
    let length = (try? FileDescriptor.open("/proc/thread-self/status", O_RDONLY).read(into: &bytes)) ?? 0
    let status = String(decoding: bytes[..<length], as: UTF8.self)
    let mask = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") } ?? ""
    return mask.dropFirst("Cpus_allowed:".count).reduce(0) { $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0) }
  }
}

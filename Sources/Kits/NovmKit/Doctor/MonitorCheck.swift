/// What `novmm --check` found out about this host's KVM.
package struct MonitorCheck: Equatable, Sendable {
  package enum Verdict: Equatable, Sendable {
    /// 64-bit code runs at a processor's speed.
    case fast
    /// It runs, a thousand times slower: the host interprets guests.
    case slow
    /// It did not come to an end.
    case hangs
    /// KVM cannot be used at all; why.
    case unusable(String)
  }

  package var verdict: Verdict
  /// Milliseconds for the loop that is timed.
  package var milliseconds: Double?
  /// What KVM lacks.
  package var missing: [String] = []
  /// The version of Landlock; 0 for none, nil where the program does not tell.
  package var landlock: Int?
  package var hasCallFilters = true

  package init(verdict: Verdict, milliseconds: Double? = nil, missing: [String] = []) {
    self.verdict = verdict
    self.milliseconds = milliseconds
    self.missing = missing
  }

  /// Runs it; a check that itself hangs is a verdict too.
  package init(novmm: String) throws(NovmError) {
    let result = try ProgramOutput(of: novmm, ["--check"], limit: 15_000)
    guard result.exitStatus != nil else {
      self.init(verdict: .hangs)
      return
    }
    self.init(output: result.output, errors: result.errors)
  }

  /// Reads `key=value` lines.
  package init(output: String, errors: String) {
    var values: [Substring: Substring] = [:]
    for line in output.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2 { values[parts[0]] = parts[1] }
    }
    missing = values["missing"]?.split(separator: ",").map(String.init) ?? []
    landlock = values["landlock"].flatMap { Int($0) }
    hasCallFilters = values["seccomp"] != "0"
    milliseconds = values["loop_us"].flatMap { Double($0) }.map { $0 / 1000 }
    switch values["verdict"] {
    case "ok": verdict = .fast
    case "slow": verdict = .slow
    case "hang": verdict = .hangs
    case let other:
      let words = errors.split(separator: "\n").last.map(String.init) ?? other.map(String.init) ?? "no answer"
      verdict = .unusable(words.hasPrefix("novmm: ") ? String(words.dropFirst("novmm: ".count)) : words)
    }
  }
}

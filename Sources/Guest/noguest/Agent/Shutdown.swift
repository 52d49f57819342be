import AgentProtocol
import CGuest

/// The course of a shutdown: ask what runs to end, hang up, kill what stays, write back, tell the host, end.
struct Shutdown {
  enum Step {
    case wait
    case signal([Int32])
    case settle
    case end
  }

  private enum Phase {
    case new
    case asking(until: Int64)
    case hangingUp(until: Int64)
    case killing(until: Int64)
    case settled(until: Int64)
  }

  let mode: ShutdownMode
  /// Set when no process is left besides this one.
  var nothingRuns = false
  private var phase = Phase.new
  private var isHurried = false

  /// How long processes may take on SIGTERM.
  private static let askTime: Int64 = 1000
  /// How long what ignores that may take on SIGHUP, as interactive shells do. Not both at once: who handles the one
  /// would die of the other in the midst of it.
  private static let hangUpTime: Int64 = 1000
  /// How long they may take to die on SIGKILL, which is long only in the middle of a slow read.
  private static let killTime: Int64 = 2000
  /// How long the host may take to read `synced` and close its stream.
  private static let farewellTime: Int64 = 500

  init(_ mode: ShutdownMode) { self.mode = mode }

  var deadline: Int64 {
    switch phase {
    case .new: 0
    case .asking(let end), .hangingUp(let end), .killing(let end), .settled(let end): isHurried ? 0 : end
    }
  }

  /// Does not wait for anything to end by itself.
  mutating func hurry() {
    switch phase {
    case .new, .asking, .hangingUp: isHurried = true
    case .killing, .settled: break
    }
  }

  /// What to do next. Answers anything but `wait` once for each phase.
  mutating func advance(now: Int64) -> Step {
    switch phase {
    case .new where mode != .end && !nothingRuns && !isHurried:
      phase = .asking(until: now + Self.askTime)
      return .signal([SIGTERM, SIGCONT])
    case .asking(let end) where !nothingRuns && !isHurried:
      guard now >= end else { return .wait }
      phase = .hangingUp(until: now + Self.hangUpTime)
      return .signal([SIGHUP])
    case .hangingUp(let end) where !nothingRuns && !isHurried && now < end:
      return .wait
    case .new where !nothingRuns, .asking where !nothingRuns, .hangingUp where !nothingRuns:
      isHurried = false
      phase = .killing(until: now + Self.killTime)
      return .signal([SIGKILL])
    case .killing(let end) where !nothingRuns && now < end:
      return .wait
    case .new, .asking, .hangingUp, .killing:
      phase = .settled(until: now + Self.farewellTime)
      return .settle
    case .settled(let end):
      return now < end && !everybodyLeft ? .wait : .end
    }
  }

  /// Set when every host that waits for `synced` has closed its stream.
  var everybodyLeft = false
}

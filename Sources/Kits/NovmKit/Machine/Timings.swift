/// When what happened, and the table of it that `--timings` prints.
package final class Timings {
  private var marks: [String: MonotonicTime] = [:]

  package init() {}

  /// Notes a point of time; the first of a name counts.
  package func mark(_ name: String, at time: MonotonicTime = .now) {
    if marks[name] == nil { marks[name] = time }
  }

  /// One line of the table: what happened between two marks.
  package struct Phase: Equatable, Sendable {
    package var name: String
    package var start: MonotonicTime
    package var end: MonotonicTime

    package var milliseconds: Double { Double(end.nanoseconds - start.nanoseconds) / 1e6 }
  }

  /// The phases of a run, from the marks where each begins; a phase that never began is part of the one before it.
  package var phases: [Phase] {
    let known = Self.beginnings.compactMap { name, mark in marks[mark].map { (name, $0) } }
    guard let last = marks["end"] else { return [] }
    let ends = known.dropFirst().map(\.1) + [last]
    return zip(known, ends).compactMap { start, end in
      end < start.1 ? nil : Phase(name: start.0, start: start.1, end: end)
    }
  }

  private static let beginnings: [(String, String)] = [
    ("load of novm", "process"),
    ("compose", "start"),
    ("start of novmm", "spawn"),
    ("set-up of the machine", "novmm.kvm"),
    ("kernel and init", "novmm.first-entry"),
    ("start of command", "ready"),
    ("command", "command"),
    ("shutdown", "ended"),
    ("clean-up", "gone"),
  ]

  /// A table with a bar for each phase, drawn where it lies in the whole.
  ///
  /// - Parameter width: columns for the bars.
  package func table(width: Int = 40) -> String {
    let phases = phases
    guard let first = phases.first, let last = phases.last else { return "" }
    let total = Phase(name: "total", start: first.start, end: last.end)
    let span = max(1, Double(total.end.nanoseconds - total.start.nanoseconds))
    func column(_ time: MonotonicTime) -> Int {
      Int((Double(time.nanoseconds - total.start.nanoseconds) / span * Double(width)).rounded())
    }
    let nameWidth = phases.map(\.name.count).max() ?? 0
    let lines = (phases + [total]).map { phase in
      let name = phase.name + String(repeating: " ", count: nameWidth - phase.name.count)
      let start = min(column(phase.start), width - 1)
      let bar = String(repeating: " ", count: start) + String(repeating: "█", count: max(1, column(phase.end) - start))
      let share = phase.milliseconds / total.milliseconds * 100
      return "\(name)  \(Self.right(phase.milliseconds, 9)) ms  \(Self.right(share, 5)) %  \(bar)"
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A number with one decimal, right-aligned.
  private static func right(_ number: Double, _ width: Int) -> String {
    let tenths = Int((number * 10).rounded())
    let text = "\(tenths / 10).\(tenths % 10)"
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

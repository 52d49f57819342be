import ArgumentParser
import NovmKit

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Tell whether this host can run machines, and what to mend.",
    discussion: """
      KVM is judged by running a loop as a guest and timing it, since an open /dev/kvm says little.

      Examples:
        novm doctor
        novm doctor --json
        novm doctor --can-run && novm run -- true

      Exit status: 0 if all is well, 1 if something keeps machines from running.
      """)

  @Flag(help: "Print JSON.")
  var json = false

  @Flag(help: "Print nothing; look only at what the host must give: novm's programs and KVM.")
  var canRun = false

  func validate() throws {
    if json && canRun { throw ValidationError("give --json or --can-run, not both") }
  }

  func run() throws {
    let report = HostReport(programs: Surroundings.programs, paths: Surroundings.paths)
    if canRun { throw ExitCode(report.canRun ? 0 : 1) }
    if json {
      try JSONOutput.print(Report(report))
    } else {
      print(Self.text(report))
    }
    throw ExitCode(report.isHealthy ? 0 : 1)
  }

  private static func text(_ report: HostReport) -> String {
    let width = report.points.map(\.name.count).max() ?? 0
    var lines: [String] = []
    for point in report.points {
      let mark =
        switch point.state {
        case .good: "ok  "
        case .doubtful: "warn"
        case .bad: "FAIL"
        }
      lines.append("\(mark)  \(point.name)\(String(repeating: " ", count: width - point.name.count))  \(point.detail)")
      if let mend = point.mend { lines.append("\(String(repeating: " ", count: width + 8))mend: \(mend)") }
    }
    lines.append("")
    lines.append(
      report.isHealthy
        ? "This host can run machines: novm run -- /bin/ls -la /"
        : report.canRun ? "This host could run machines once that is mended." : "This host cannot run machines.")
    return lines.joined(separator: "\n")
  }

  private struct Report: Encodable {
    struct Point: Encodable {
      var name: String
      var state: String
      var detail: String
      var mend: String?
    }
    var canRun: Bool
    var healthy: Bool
    var points: [Point]

    init(_ report: HostReport) {
      canRun = report.canRun
      healthy = report.isHealthy
      points = report.points.map { Point(name: $0.name, state: $0.state.rawValue, detail: $0.detail, mend: $0.mend) }
    }
  }
}

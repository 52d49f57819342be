import ArgumentParser
import Glibc
import NovmKit
import Store

struct StatsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Show what machines use: processors, memory, file system.",
    discussion: """
      All that run, unless some are named. CPU is the processor time that a machine takes of the host, 100 % being one \
      processor; HOST is what it has in the host's memory. The rest is the guest's own account: memory that is in use, the \
      file system of its /, threads. WRITTEN is what is in its write map of what --write-limit lets be there, of several the \
      fullest, bytes or names, of which there are more; NODES the files that it knows, STREAMS its connections by vsock, such as commands. On a terminal the table is shown anew each second; elsewhere once, unless --follow is \
      given.

      Examples:
        novm stats
        novm stats --json web
      """)

  @Flag(name: [.short, .long], help: "Go on though it is no terminal.")
  var follow = false

  @Flag(name: .customLong("no-stream"), help: "Print it once, on a terminal too.")
  var noStream = false

  @Flag(help: "Print JSON, once: a list of objects.")
  var json = false

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String] = []

  func validate() throws {
    if follow, noStream || json { throw ValidationError("--follow: not with --no-stream or --json, which print once") }
  }

  func run() throws {
    let once = noStream || (!follow && isatty(STDOUT_FILENO) != 1)
    var last: [String: MachineUsage.Sample] = [:]
    _ = try measure(&last)
    while true {
      usleep(1_000_000)
      let usage = try measure(&last)
      if json { return try JSONOutput.print(usage) }
      let table = Self.table(usage)
      // From the top left corner of an empty screen.
      print(once || isatty(STDOUT_FILENO) != 1 ? table : "\u{1B}[H\u{1B}[2J\(table)")
      fflush(nil)
      if once { return }
    }
  }

  private func measure(_ last: inout [String: MachineUsage.Sample]) throws -> [MachineUsage] {
    let records = try machines.isEmpty ? Machines.list().filter(\.isAlive) : machines.map(Machines.find)
    var samples: [String: MachineUsage.Sample] = [:]
    var usage: [MachineUsage] = []
    for record in records.sorted(by: { $0.name < $1.name }) {
      guard record.isAlive else { throw NovmError.notRunning(record.name) }
      let status = MachineStatus(record, MachineState(record))
      let sample = MachineUsage.measure(record, status: status, since: last[record.identifier])
      samples[record.identifier] = sample
      if let sample { usage.append(sample.usage) }
    }
    last = samples
    return usage
  }

  private static func table(_ usage: [MachineUsage]) -> String {
    var table = Table("NAME", "STATUS", "CPU", "HOST", "MEMORY", "FILES", "THREADS", "WRITTEN", "NODES", "STREAMS")
    for machine in usage {
      table.add(
        machine.name, machine.status, machine.processors.map { "\(Int(($0 * 100).rounded())) %" } ?? "-",
        Amount.text(machine.hostMemory), part(machine.memoryUsed, machine.memoryTotal),
        part(machine.storageUsed, machine.storageTotal), machine.threads.map { "\($0)" } ?? "-",
        written(machine.monitor?.fullest),
        machine.monitor.map { "\($0.nodes)" } ?? "-", machine.monitor.map { "\($0.streams)" } ?? "-")
    }
    return table.text
  }

  private static func written(_ map: MonitorUsage.Written?) -> String {
    guard let map, let limit = map.nameLimit, map.isFullerOfNames else { return part(map?.bytes, map?.limit) }
    return "\(map.names) of \(limit) names"
  }

  private static func part(_ used: UInt64?, _ total: UInt64?) -> String {
    guard let used, let total else { return "-" }
    return "\(Amount.text(used)) of \(Amount.text(total))"
  }
}

import ArgumentParser
import FoundationEssentials
import NovmKit
import Store

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List machines, newest first.",
    discussion: """
      Those that run, unless told otherwise. --format prints a line for each, with {{.ID}}, {{.Name}}, {{.Status}}, \
      {{.Kernel}}, {{.Created}} and {{.Command}} replaced.

      Examples:
        novm ls --all
        novm ls --dead --format '{{.Name}}: {{.Status}}'
      """,
    aliases: ["list", "ps"])

  @Flag(name: [.short, .long], help: "All machines.")
  var all = false

  @Flag(help: "Machines that run (the default).")
  var alive = false

  @Flag(help: "Machines that do not run.")
  var dead = false

  @Flag(name: [.short, .long], help: "Print identifiers only.")
  var quiet = false

  @Option(help: ArgumentHelp("Print this for each machine.", valueName: "template"))
  var format: String?

  @Flag(help: "Print JSON: a list of objects.")
  var json = false

  func run() throws {
    let records = try Machines.list().filter { all || (alive && dead) || $0.isAlive != dead }
    let machines = records.map(MachineReport.init).sorted { ($0.created, $0.id) > ($1.created, $1.id) }
    if json { return try JSONOutput.print(machines) }
    if let format = quiet ? "{{.ID}}" : format {
      for machine in machines { print(machine.filled(format)) }
      return
    }
    var table = Table("ID", "NAME", "STATUS", "KERNEL", "CREATED", "COMMAND")
    for machine in machines {
      table.add(
        machine.id, machine.name, machine.statusText, machine.kernel ?? "-", machine.created.formatted(.iso8601),
        String(machine.commandText.prefix(40)))
    }
    print(table.text)
  }
}

/// What `ls` and `inspect` tell of a machine.
struct MachineReport: Encodable {
  var id: String
  var name: String
  var status: String
  var exitStatus: Int32?
  var error: String?
  var created: Date
  var started: Date?
  var finished: Date?
  var kernel: String?
  /// Of the process that looks after it, and of its monitor.
  var supervisor: Int32?
  var monitor: Int32?
  var directory: String
  var vsock: String?
  var remove: Bool
  var machine: MachineSettings?
  var process: CommandSettings?

  /// Not for JSON, which has status and exit status apart.
  private let word: String

  init(_ record: MachineRecord) {
    let definition = MachineDefinition(record)
    let state = MachineState(record)
    let status = MachineStatus(record, state)
    id = record.identifier
    name = record.name
    self.status = status.name
    word = status.text
    exitStatus = state?.exitStatus
    error = state?.error
    created = definition?.created ?? Date(timeIntervalSince1970: 0)
    started = state?.started
    finished = state?.finished
    kernel = state?.kernel ?? definition?.machine.kernel
    supervisor = record.isAlive ? state?.supervisor : nil
    monitor = record.isAlive ? state?.monitor : nil
    directory = record.path
    vsock = record.isAlive ? record.runtime.map { "\($0)/vsock" } : nil
    remove = definition?.remove ?? false
    machine = definition?.machine
    process = definition?.process
  }

  private enum CodingKeys: String, CodingKey {
    case id, name, status, exitStatus, error, created, started, finished, kernel, supervisor, monitor, directory, vsock
    case remove, machine, process
  }

  var statusText: String { word }

  var commandText: String { ByteString.printable((process?.command ?? []).joined(separator: " ")) }

  func filled(_ template: String) -> String {
    let fields = [
      ("ID", id), ("Name", name), ("Status", statusText), ("Kernel", kernel ?? ""),
      ("Created", created.formatted(.iso8601)), ("Command", commandText),
    ]
    return fields.reduce(template) { $0.replacing("{{.\($1.0)}}", with: $1.1) }
  }
}

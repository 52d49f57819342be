import ArgumentParser
import NovmKit
import Store

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List machines, newest first.",
    discussion: """
      Those that run, unless told otherwise. PORTS are what of the host leads into which of the guest's, while the machine \
      runs. --format prints a line for each, with {{.ID}}, {{.Name}}, {{.Status}}, {{.Kernel}}, {{.Created}}, {{.Memory}}, \
      {{.Ports}} and {{.Command}} replaced.

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

  func validate() throws {
    for place in format?.matches(of: /{{\.(.*?)}}/) ?? [] where Field(rawValue: String(place.1)) == nil {
      let names = Field.allCases.map { "{{.\($0.rawValue)}}" }.joined(separator: " ")
      throw ValidationError("--format: no field '\(place.1)'; there are \(names)")
    }
  }

  func run() throws {
    let records = try Machines.list().filter { all || (alive && dead) || $0.isAlive != dead }
    if json {
      return try JSONOutput.print(
        records.map(MachineReport.init).sorted { ($0.created, $0.id) > ($1.created, $1.id) })
    }
    let machines = records.map(MachineOutline.init).sorted {
      ($0.created, $0.identifier) > ($1.created, $1.identifier)
    }
    if let format = quiet ? "{{.ID}}" : format {
      for machine in machines { print(Self.fill(format, machine)) }
      return
    }
    var table = Table("ID", "NAME", "STATUS", "KERNEL", "CREATED", "MEMORY", "PORTS", "COMMAND")
    for machine in machines {
      table.add(
        machine.identifier, machine.name, machine.status.text, machine.kernel ?? "-", machine.created,
        machine.memory?.description ?? "-",
        Self.ports(machine),
        String(Self.words(machine).prefix(40)))
    }
    print(table.text)
  }

  private static func words(_ machine: MachineOutline) -> String {
    ByteString.printable(machine.command.joined(separator: " "))
  }

  private static func ports(_ machine: MachineOutline) -> String {
    guard machine.status.isAlive else { return "" }
    return ByteString.printable(machine.published.joined(separator: ", "))
  }

  private static func fill(_ template: String, _ machine: MachineOutline) -> String {
    template.replacing(/{{\.(.*?)}}/) { place in Field(rawValue: String(place.1)).map { text($0, machine) } ?? "" }
  }

  private static func text(_ field: Field, _ machine: MachineOutline) -> String {
    switch field {
    case .identifier: machine.identifier
    case .name: machine.name
    case .status: machine.status.text
    case .kernel: machine.kernel ?? ""
    case .created: machine.created
    case .memory: machine.memory?.description ?? ""
    case .ports: ports(machine)
    case .command: words(machine)
    }
  }

  /// What a template may have, between braces and behind a dot.
  private enum Field: String, CaseIterable {
    case identifier = "ID"
    case name = "Name"
    case status = "Status"
    case kernel = "Kernel"
    case created = "Created"
    case memory = "Memory"
    case ports = "Ports"
    case command = "Command"
  }
}

import ArgumentParser
import NovmKit
import Store

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List machines, newest first.",
    discussion: """
      Those that run, unless told otherwise. PORTS are what of the host leads into which of the guest's, while the machine \
      runs. --format prints a line for each, with {{.ID}}, {{.Name}}, {{.Status}}, {{.Kernel}}, {{.Created}}, {{.Ports}} and \
      {{.Command}} replaced.

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
    var table = Table("ID", "NAME", "STATUS", "KERNEL", "CREATED", "PORTS", "COMMAND")
    for machine in machines {
      table.add(
        machine.identifier, machine.name, machine.status.text, machine.kernel ?? "-", machine.created,
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
    let fields = [
      ("ID", machine.identifier), ("Name", machine.name), ("Status", machine.status.text),
      ("Kernel", machine.kernel ?? ""), ("Created", machine.created), ("Ports", ports(machine)),
      ("Command", words(machine)),
    ]
    return fields.reduce(template) { $0.replacing("{{.\($1.0)}}", with: $1.1) }
  }
}

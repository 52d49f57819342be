import ArgumentParser
import NovmKit
import Store

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "List machines, newest first.",
    discussion: """
      Those that run, unless told otherwise. PORTS are what of the host leads into which of the guest's, while the machine \
      runs; STATUS tells how the command fares, if that is looked at (--health-cmd). --format prints a line for each, with \
      {{.ID}}, {{.Name}}, {{.Status}}, {{.Kernel}}, {{.Created}}, {{.Memory}}, {{.Ports}}, {{.Labels}} and {{.Command}} \
      replaced.

      Examples:
        novm ls --all
        novm ls --dead --format '{{.Name}}: {{.Status}}'
        novm ls --filter label=team=web
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

  @Option(help: ArgumentHelp("Print this for each machine, or JSON by the word json.", valueName: "template"))
  var format: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Only machines with this label: label=KEY or label=KEY=VALUE. Repeatable, all have to be there.",
      valueName: "label=KEY[=VALUE]"))
  var filter: [String] = []

  @Flag(help: "Print JSON: a list of objects.")
  var json = false

  private var isJSON: Bool { json || format == "json" }

  func validate() throws {
    if let format, !isJSON { _ = try LineTemplate<Field>(format) }
    for text in filter where !text.hasPrefix("label=") || text.count == "label=".count {
      throw ValidationError("--filter: '\(ByteString.printable(text))' is not label=KEY or label=KEY=VALUE")
    }
  }

  /// Whether a machine has all the labels that are asked for.
  private func isWanted(_ labels: [String]) -> Bool {
    filter.allSatisfy { text in
      let wanted = text.dropFirst("label=".count)
      return labels.contains { label in
        wanted.contains("=") ? label == wanted : label.prefix { $0 != "=" } == wanted
      }
    }
  }

  func run() throws {
    let records = try Machines.list().filter { all || (alive && dead) || $0.isAlive != dead }
    if isJSON {
      return try JSONOutput.print(
        records.map(MachineReport.init).filter { isWanted($0.machine?.label ?? []) }
          .sorted { ($0.created, $0.id) > ($1.created, $1.id) })
    }
    let machines = records.map(MachineOutline.init).filter { isWanted($0.labels) }.sorted {
      ($0.created, $0.identifier) > ($1.created, $1.identifier)
    }
    if let format = quiet ? "{{.ID}}" : format {
      let template = try LineTemplate<Field>(format)
      for machine in machines { print(template.fill { Self.text($0, machine) }) }
      return
    }
    var table = Table("ID", "NAME", "STATUS", "KERNEL", "CREATED", "MEMORY", "PORTS", "COMMAND")
    for machine in machines {
      table.add(
        machine.identifier, machine.name, machine.statusText, machine.kernel ?? "-", machine.created,
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

  private static func text(_ field: Field, _ machine: MachineOutline) -> String {
    switch field {
    case .identifier: machine.identifier
    case .name: machine.name
    case .status: machine.statusText
    case .kernel: machine.kernel ?? ""
    case .created: machine.created
    case .memory: machine.memory?.description ?? ""
    case .ports: ports(machine)
    case .labels: ByteString.printable(machine.labels.joined(separator: ","))
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
    case labels = "Labels"
    case command = "Command"
  }
}

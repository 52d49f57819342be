import ArgumentParser
import NovmKit

struct UpdateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "update",
    abstract: "Change what a machine reaches by its user network.",
    discussion: """
      At once if the machine runs, and for each later start. Connections to what is not granted any more end. A machine that \
      runs without a list (--allow, --deny, --net user,closed) gets one when it does not run.

      Examples:
        novm update web --allow example.org:443 --remove 10.0.0.0/8
        novm inspect --grants web
      """)

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("What the machine may reach, too: as of novm run. Repeatable.", valueName: "GRANT"))
  var allow: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("What it may not reach, whatever is allowed. Repeatable.", valueName: "GRANT"))
  var deny: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("What was allowed or denied, and is so no more. Repeatable.", valueName: "GRANT"))
  var remove: [String] = []

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  private var changes: GrantChanges { GrantChanges(allow: allow, deny: deny, remove: remove) }

  func validate() throws {
    if changes.isEmpty { throw ValidationError("nothing to change; give --allow, --deny or --remove") }
  }

  func run() throws { try changes.make(of: try Machines.find(machine)) }
}

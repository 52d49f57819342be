import ArgumentParser
import Changes
import NovmKit

struct ApplyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Bring what a machine changed back to the directories of the host.",
    discussion: """
      Shows the changes and asks first, unless --force is given. Each file is replaced whole. Nothing is applied if \
      something in the way was changed on the host since the machine was made. The machine must not run; once all its \
      changes are applied, what it wrote is discarded. Set-user-ID bits, capabilities and, without root, owners are not \
      applied.

      Examples:
        novm apply work
        novm apply --force work /src
      """)

  @Flag(name: [.short, .long], help: "Do not ask.")
  var force = false

  @Flag(help: "Replace what was changed on the host since, too.")
  var overwrite = false

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  @Argument(help: "Paths of the guest: these, and what is below them.")
  var paths: [String] = []

  func validate() throws { try GuestPath.validate(paths) }

  func run() throws {
    let record = try Machines.find(machine)
    if record.isAlive { throw NovmError.store(.machineRuns(record.name)) }
    let machine = try ChangedMachine(record)
    let set = try machine.trees.changes(paths.map(ByteString.bytes))
    if let remark = MachineTrees.remark(on: set) { StandardError.write("novm: \(remark)\n") }
    if let remark = GuestPath.remark(paths, set) { throw CommandFailure(remark) }
    for change in set.changes { print(change.line) }
    if set.changes.isEmpty { return }
    if !force {
      switch Question.ask("Apply \(set.changes.countText) to the host? [y/N] ") {
      case nil: throw CommandFailure("nothing was applied; give --force where there is no terminal to ask at")
      case "y", "yes": break
      default: throw CommandFailure("nothing was applied")
      }
    }
    try machine.applyShown(set, overwriting: overwrite, isAll: paths.isEmpty)
  }
}

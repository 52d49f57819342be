import ArgumentParser
import Changes
import Glibc
import NovmKit

struct DiscardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discard",
    abstract: "Remove what machines wrote, and keep the machines.",
    discussion: """
      Shows the changes and asks first, unless --force is given. Directories of yours that a machine wrote to, and volumes, \
      stay. The machines must not run.

      Example:
        novm discard work
      """)

  @Flag(name: [.short, .long], help: "Do not ask.")
  var force = false

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      if record.isAlive { throw NovmError.store(.machineRuns(record.name)) }
      let machine = try ChangedMachine(record)
      if !force { try ask(record.name, try machine.trees.changes()) }
      try machine.discard()
    }
  }

  private func ask(_ name: String, _ set: ChangeSet) throws {
    if set.changes.isEmpty { return }
    for change in set.changes { print(change.line) }
    fflush(nil)
    switch Question.ask("Discard \(set.changes.countText) of \(name)? [y/N] ") {
    case nil: throw CommandFailure("nothing was discarded; give --force where there is no terminal to ask at")
    case "y", "yes": return
    default: throw CommandFailure("nothing was discarded")
    }
  }
}

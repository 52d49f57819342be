import ArgumentParser
import Store

struct RemoveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Remove machines, and what they wrote to directories of their own.",
    discussion: """
      What they wrote to directories of yours stays.

      Example:
        novm rm --force web
      """,
    aliases: ["remove", "clean"])

  @Flag(name: [.short, .long], help: "End a machine that runs.")
  var force = false

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      if record.isAlive, force {
        try Machines.kill(record)
        // One that removes itself is gone now.
        if try !Machines.list().contains(where: { $0.identifier == record.identifier }) { return }
      }
      try Machines.remove(record)
    }
  }
}

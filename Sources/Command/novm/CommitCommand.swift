import ArgumentParser
import Host
import NovmKit
import Packs

struct CommitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "commit",
    abstract: "Make a pack of what a machine wrote.",
    discussion: """
      As a layer over the same directories the pack shows what the machine saw: removed files stay removed. Prints the \
      pack's digest. The machine must not run.

      Example:
        novm commit work tools
        novm run --read / --pack tools -- /usr/local/bin/tool
      """)

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  @Argument(help: "The new pack's name; the machine's if not given.")
  var name: String?

  @OptionGroup var options: PackMakingOptions

  func run() throws {
    let record = try Machines.find(machine)
    if record.isAlive { throw NovmError.store(.machineRuns(record.name)) }
    guard let source = try ChangedMachine(record).trees.rootWrites else {
      throw CommandFailure("\(record.name): what it writes to / goes to a volume or share; there is nothing to commit")
    }
    let patterns = try options.patterns()
    try options.make(name ?? record.name, origin: "machine \(record.name)") { (builder, progress) throws(PackError) in
      try DirectorySource(source, patterns: patterns).read(into: builder) { progress("reading: \($0) files") }
    }
  }
}

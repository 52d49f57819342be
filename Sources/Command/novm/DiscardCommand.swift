import ArgumentParser

struct DiscardCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "discard",
    abstract: "Remove what machines wrote, and keep the machines.",
    discussion: """
      Directories of yours that a machine wrote to, and volumes, stay. The machines must not run.

      Example:
        novm discard work
      """)

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func run() throws {
    for name in machines {
      try ChangedMachine(try Machines.find(name)).discard()
      print(name)
    }
  }
}

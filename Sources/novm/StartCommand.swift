import ArgumentParser

struct StartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Start machines that do not run, in the background.",
    discussion: """
      Example:
        novm start web
      """)

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      if record.isAlive { return }
      try Machines.start(record)
    }
  }
}

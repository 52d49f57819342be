import ArgumentParser

struct RestartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restart",
    abstract: "Stop machines and start them.",
    discussion: """
      Example:
        novm restart web
      """)

  @OptionGroup var grace: StopGrace

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      try Machines.stop(record, grace: grace.seconds)
      try Machines.start(record)
    }
  }
}

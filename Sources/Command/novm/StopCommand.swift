import ArgumentParser

struct StopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stop",
    abstract: "End machines: their command by SIGTERM, the rest after a while.",
    discussion: """
      A machine without a command powers off.

      Example:
        novm stop --time 30 web
      """)

  @OptionGroup var grace: StopGrace

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { try Machines.stop($0, grace: grace.seconds) }
  }
}

import ArgumentParser
import NovmKit

struct PauseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause",
    abstract: "Stop machines where they are, until `novm unpause`.",
    discussion: """
      Their processors stop; their memory stays. Nothing runs in them meanwhile, but `novm stop` and `novm kill` end them.

      Example:
        novm pause web
      """)

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      guard let control = MonitorControl(record) else { throw NovmError.notRunning(record.name) }
      _ = try control.pause()
    }
  }
}

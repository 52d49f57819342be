import ArgumentParser
import NovmKit

struct UnpauseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpause",
    abstract: "Let paused machines go on.",
    discussion: """
      Example:
        novm unpause web
      """)

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      guard let control = MonitorControl(record) else { throw NovmError.notRunning(record.name) }
      _ = try control.resume()
    }
  }
}

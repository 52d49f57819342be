import ArgumentParser
import NovmKit

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Print all that is known of machines, as JSON.",
    discussion: """
      Example:
        novm inspect web
      """)

  @OptionGroup var machines: MachineNames

  func run() throws {
    var reports: [MachineReport] = []
    // Those that are there are told of, whatever the others.
    defer { try? JSONOutput.print(reports) }
    try machines.each(naming: false) { reports.append(MachineReport($0)) }
  }
}

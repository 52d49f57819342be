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

  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  func run() throws {
    let reports = try machines.map { MachineReport(try Machines.find($0)) }
    try JSONOutput.print(reports)
  }
}

import ArgumentParser
import NovmKit
import Store

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Print all that is known of machines, as JSON.",
    discussion: """
      Example:
        novm inspect web
        novm inspect --grants web
      """)

  @Flag(help: "Print what a machine may reach of the host, and by it: directories, devices, addresses and ports.")
  var grants = false

  @OptionGroup var machines: MachineNames

  func run() throws {
    if grants { return try machines.each(naming: false, Self.printGrants) }
    var reports: [MachineReport] = []
    // Those that are there are told of, whatever the others.
    defer { try? JSONOutput.print(reports) }
    try machines.each(naming: false) { reports.append(MachineReport($0)) }
  }

  private static func printGrants(_ record: MachineRecord) throws {
    guard let settings = MachineDefinition(record)?.machine else { return }
    print(try MachineRequest(settings, directory: Surroundings.workingDirectory).grants.joined(separator: "\n"))
  }
}

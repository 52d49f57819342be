import ArgumentParser
import NovmKit
import Store

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Print all that is known of machines, or of images, as JSON.",
    discussion: """
      A name is a machine's if there is one of it; images' alone are told of by: novm image inspect.

      Examples:
        novm inspect web
        novm inspect debian:12
        novm inspect --grants web
      """)

  @Flag(help: "Print what a machine may reach of the host, and by it: directories, devices, addresses and ports.")
  var grants = false

  @OptionGroup var machines: MachineNames

  func run() throws {
    if grants { return try machines.each(naming: false, Self.printGrants) }
    var reports: [Report] = []
    // Those that are there are told of, whatever the others.
    defer { try? JSONOutput.print(reports) }
    try CommandFailure.tellEach(machines.machines) { name in
      do {
        reports.append(.machine(MachineReport(try Machines.find(name))))
      } catch {
        guard let image = try? ImageCommand.store.find(name) else { throw error }
        reports.append(.image(ImageReport(image, isWhole: true)))
      }
    }
  }

  private enum Report: Encodable {
    case machine(MachineReport)
    case image(ImageReport)

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .machine(let report): try report.encode(to: encoder)
      case .image(let report): try report.encode(to: encoder)
      }
    }
  }

  private static func printGrants(_ record: MachineRecord) throws {
    guard let settings = MachineDefinition(record)?.machine else { return }
    print(try MachineRequest(settings, directory: Surroundings.workingDirectory).grants.joined(separator: "\n"))
  }
}

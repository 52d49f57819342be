import ArgumentParser
import NovmKit
import Store

/// The machines that a command is about; the same for every command that takes several.
struct MachineNames: ParsableArguments {
  @Argument(help: "Names or identifiers.", completion: .machines)
  var machines: [String]

  /// Does something to each machine: all are tried, each failure is told, and the first one's status is the command's.
  ///
  /// - Parameter naming: whether to print the name of each for which it went well.
  func each(naming: Bool = true, _ body: (MachineRecord) throws -> Void) throws {
    try CommandFailure.tellEach(machines) { name in
      try body(try Machines.find(name))
      if naming { print(name) }
    }
  }
}

import ArgumentParser
import Glibc
import NovmKit

struct WaitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "wait",
    abstract: "Wait until machines have ended, and print the exit status of each.",
    discussion: """
      Example:
        novm wait web
      """)

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each(naming: false) { record in
      try Machines.awaitEnd(record)
      print(MachineState(record)?.exitStatus ?? 128 + SIGKILL)
    }
  }
}

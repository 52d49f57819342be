import ArgumentParser
import Glibc
import NovmKit

struct StartCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start",
    abstract: "Start machines that do not run, in the background.",
    discussion: """
      Examples:
        novm start web
        novm start --wait web
      """)

  @Flag(help: "Wait until they have ended, with the exit status of the first that failed.")
  var wait = false

  @OptionGroup var machines: MachineNames

  func run() throws {
    try machines.each { record in
      if try Machines.all.isLookedAfter(record) { return }
      try Machines.start(record)
    }
    guard wait else { return }
    var status: Int32 = 0
    try machines.each(naming: false) { record in
      try Machines.awaitEnd(record)
      let own = MachineState(record)?.exitStatus ?? 128 + SIGKILL
      if status == 0 { status = own }
    }
    if status != 0 { throw ExitCode(status) }
  }
}

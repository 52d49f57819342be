import ArgumentParser
import Glibc
import NovmKit

struct KillCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kill",
    abstract: "Send a signal to the command of machines, or end them at once.",
    discussion: """
      SIGKILL, which is the default, ends the machine as it stands; what the guest had not written back is lost.

      Examples:
        novm kill web
        novm kill --signal HUP web
      """)

  @Option(
    name: [.customShort("s", allowingJoined: true), .long],
    help: "A signal's name or number: KILL, TERM, INT, HUP, QUIT, USR1 or USR2.")
  var signal = "KILL"

  @OptionGroup var machines: MachineNames

  private var number: Int32? {
    SignalName.number(signal).flatMap {
      [SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2].contains($0) ? $0 : nil
    }
  }

  func validate() throws {
    guard number != nil else {
      throw ValidationError("--signal: '\(signal)' cannot be sent; give KILL, TERM, INT, HUP, QUIT, USR1 or USR2")
    }
  }

  func run() throws {
    try machines.each { record in
      guard record.isAlive else { throw NovmError.notRunning(record.name) }
      if number == SIGKILL { return try Machines.kill(record) }
      if let number { SupervisorProcess.of(record)?.send(number) }
    }
  }
}

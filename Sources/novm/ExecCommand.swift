import ArgumentParser
import Glibc
import NovmKit
import Store

struct ExecCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exec",
    abstract: "Run a command in a machine that runs.",
    usage: "novm exec [OPTIONS] MACHINE [--] COMMAND [ARG...]",
    discussion: """
      Input, output, signals and the exit status are the command's own, as of `novm run`.

      Examples:
        novm exec box -- uname -a
        novm exec -t box -- bash
      """)

  @OptionGroup(title: "The command") var process: ProcessOptions

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command to run, and its arguments.", valueName: "COMMAND"))
  var words: [String] = []

  func validate() throws {
    if try CommandWords(words, of: Self.self).words.isEmpty {
      throw ValidationError("no command to run; such as: novm exec \(machine) -- /bin/ls")
    }
  }

  func run() throws {
    let record = try Machines.find(machine)
    guard record.isAlive, let runtime = record.runtime else { throw NovmError.notRunning(record.name) }
    let loop = PollLoop()
    let words = try CommandWords(words, of: Self.self).words
    let command = AttachedCommand(try process.command(words), loop: loop)
    let signals = try SignalInbox(AttachedCommand.signals, command.received)
    loop.add(signals)
    let status = try command.run(on: AgentConnection(vsock: "\(runtime)/vsock"))
    if let fault = command.outputFault { throw NovmError.output(fault) }
    guard let status else { throw NovmError.machineGone(record.name) }
    if status != 0 { throw ExitCode(status) }
  }
}

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
      Input, output, signals and the exit status are the command's own, as of `novm run`. With --detach the command goes on \
      by itself, and its output goes nowhere.

      Examples:
        novm exec box -- uname -a
        novm exec -t box -- bash
        novm exec -d box -- sleep 1000
      """)

  @OptionGroup(title: "The command") var process: ProcessOptions

  /// What it asks for is always so.
  @Flag(name: [.short, .long], help: "Give the command our standard input, as is done without it, too.")
  var interactive = false

  @Flag(name: [.short, .long], help: "Leave the command to itself once it runs.")
  var detach = false

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
    if detach, interactive {
      throw ValidationError("--interactive: a command has no input with --detach; leave out one of them")
    }
    if detach, process.timeout != nil {
      throw ValidationError("--timeout: nobody looks after the command with --detach; leave out one of them")
    }
    if detach, process.terminal {
      throw ValidationError("--terminal: nobody is at it with --detach; leave out one of them")
    }
  }

  func run() throws {
    let (record, vsock) = try Machines.running(machine)
    let words = try CommandWords(words, of: Self.self).words
    let tree = MachineDefinition(record)?.machine
    if detach {
      return try DetachedCommand.start(process.settings(words, on: tree).agentCommand, vsock: vsock)
    }
    let loop = PollLoop()
    let command = AttachedCommand(try process.command(words, on: tree), loop: loop)
    command.timeout = process.timeout.flatMap { TimeSpan($0) }.map { Double($0.seconds) }
    let signals = try SignalInbox(AttachedCommand.signals, command.received)
    loop.add(signals)
    let status = try command.run(on: AgentConnection(vsock: vsock))
    if let fault = command.outputFault { throw NovmError.output(fault) }
    guard let status else { throw NovmError.machineGone(record.name) }
    if status != 0 { throw ExitCode(status) }
  }
}

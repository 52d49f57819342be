import ArgumentParser
import Glibc
import NovmKit

struct AttachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract: "Come back to the command of a machine in the background.",
    discussion: """
      Shows its output from now on (`novm logs` has what was before), passes signals on to it, and ends with its exit status. \
      Of a machine made with --terminal or --interactive it takes input too. On a terminal Ctrl-P Ctrl-Q leaves the command \
      to itself again; so does killing novm.

      Example:
        novm run -d -t --name shell -- bash
        novm attach shell
      """)

  @Flag(name: .customLong("no-stdin"), help: "Give the command no input.")
  var noInput = false

  @Argument(help: "The machine's name or identifier.", completion: .machines)
  var machine: String

  func run() throws {
    let (record, _) = try Machines.running(machine)
    guard let runtime = record.runtime, let process = MachineDefinition(record)?.process else {
      throw CommandFailure(
        "\(record.name) has no command to come back to; `novm exec -t \(record.name) -- bash` runs one")
    }
    guard access("\(runtime)/attach", F_OK) == 0 else {
      throw CommandFailure("the command of \(record.name) is attached where it was started, by `novm run`")
    }
    let loop = PollLoop()
    let takesInput = !noInput && (process.terminal || process.input)
    let command = AttachedCommand(
      process.agentCommand, attachment: AttachedCommand.Attachment(input: takesInput ? STDIN_FILENO : nil), loop: loop)
    let signals = try SignalInbox(AttachedCommand.signals, command.received)
    loop.add(signals)
    let status = try command.attach(to: AgentConnection(socket: "\(runtime)/attach"))
    if let fault = command.outputFault { throw NovmError.output(fault) }
    guard let status else { throw NovmError.machineGone(record.name) }
    if status != 0 { throw ExitCode(status) }
  }
}

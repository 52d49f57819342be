import AgentProtocol
import ArgumentParser
import NovmKit

/// How to run a command in a machine; the same for every command that runs one.
struct ProcessOptions: ParsableArguments {
  @Option(
    name: [.customShort("e", allowingJoined: true), .long],
    help: ArgumentHelp(
      "Set a variable of the command's environment; with NAME alone, to its value here. Repeatable.",
      valueName: "NAME[=VALUE]"))
  var env: [String] = []

  @Option(
    help: ArgumentHelp(
      "Set the variables of a file, a line each as --env has them; # begins a remark. Repeatable, --env comes after it.",
      valueName: "path"),
    completion: .file())
  var envFile: [String] = []

  @Option(
    name: [.customShort("w"), .long, .customLong("workdir")],
    help: ArgumentHelp(
      "The command's working directory in the guest.",
      discussion:
        "If not given, on the host's own tree the one that novm was called in, if the guest has it; / otherwise.",
      valueName: "path"))
  var cwd: String?

  @Option(
    name: [.customShort("u", allowingJoined: true), .long],
    help: ArgumentHelp(
      "The guest's user for the command, by name or number; root if not given.", valueName: "USER[:GROUP]"))
  var user: String?

  @Option(
    help: ArgumentHelp(
      "Limit what the command may take, as Docker has it. Repeatable.",
      discussion: "In the limit's own unit (setrlimit(2)); -1 is none. The hard limit is the soft one if not given.",
      valueName: "NAME=SOFT[:HARD]"))
  var ulimit: [String] = []

  @Flag(name: [.short, .long], help: "Give the command a terminal, and your keys to it.")
  var terminal = false

  @Option(
    help: ArgumentHelp(
      "End the command after so long, as timeout(1) does, with status 124; 0 is never.",
      discussion: "By SIGTERM, and ten seconds later by SIGKILL. Seconds, or with s, m, h, d: 90s, 10m.",
      valueName: "time"))
  var timeout: String?

  func validate() throws {
    for limit in ulimit where ResourceLimit(limit) == nil {
      throw ValidationError("--ulimit: '\(limit)' \(ResourceLimit.advice)")
    }
    if let timeout, TimeSpan(timeout) == nil {
      throw ValidationError(
        "--timeout: '\(timeout)' \(TimeSpan.advice)")
    }
  }

  /// - Parameter machine: whose tree it runs on.
  func settings(_ arguments: [String], on machine: MachineSettings?) throws -> CommandSettings {
    // Which the guest would take for root.
    if user == "" { throw NovmError.noUser }
    var settings = CommandSettings()
    settings.command = arguments
    settings.env = try environment().map(ByteString.string)
    settings.cwd = cwd
    if cwd == nil, machine?.showsHostTree == true {
      settings.calledIn = ByteString.string(Surroundings.workingDirectory)
    }
    settings.timeout = timeout.flatMap { TimeSpan($0) }.map { Double($0.seconds) }
    settings.user = user
    settings.ulimit = ulimit
    settings.terminal = terminal
    return settings
  }

  /// The command with the caller's input.
  func command(_ arguments: [String], on machine: MachineSettings?) throws -> Command {
    var command = try settings(arguments, on: machine).agentCommand
    command.options.insert(.input)
    return command
  }

  /// What the guest is told; `PATH` and `HOME` it knows itself.
  private func environment() throws -> [[UInt8]] {
    var variables: [[UInt8]] = []
    if terminal, let term = ByteString.environment("TERM"), !term.isEmpty {
      variables.append(Array("TERM=".utf8) + term)
    }
    for argument in try envFile.flatMap({ try EnvironmentFile.lines($0) }) + env {
      let bytes = ByteString.bytes(argument)
      guard let first = bytes.first, first != UInt8(ascii: "=") else { throw NovmError.environment(argument) }
      if bytes.contains(UInt8(ascii: "=")) {
        variables.append(bytes)
      } else if let value = ByteString.environment(argument) {
        variables.append(bytes + [UInt8(ascii: "=")] + value)
      }
    }
    return variables
  }
}

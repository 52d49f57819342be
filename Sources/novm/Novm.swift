import ArgumentParser
import NovmKit

@main
struct Novm: ParsableCommand {
  /// The parser is shown the one command that is called: it would ask all sixty for their names, options and aliases, which
  /// takes longer than most of them do.
  static var configuration: CommandConfiguration {
    guard let called else { return whole }
    var configuration = whole
    configuration.groupedSubcommands = []
    configuration.subcommands = [called]
    return configuration
  }

  /// Set once, before anything is parsed; nil where help for several may be wanted.
  nonisolated(unsafe) private static var called: (any ParsableCommand.Type)?

  private static let whole = CommandConfiguration(
    commandName: "novm",
    abstract: "Turns directory trees into machines.",
    discussion: """
      Examples:
        novm run -- /bin/ls -la /
        novm run -t -- bash
        novm run --write ./changes -- make install

      Exit status: that of the command; 125 if novm itself failed, 126 if the command cannot be run, 127 if it was not \
      found, 128 and a signal's number if a signal ended it.
      """,
    version: Version.text,
    subcommands: [SuperviseCommand.self],
    groupedSubcommands: [
      CommandGroup(
        name: "Machines",
        subcommands: [
          RunCommand.self, CreateCommand.self, ExecCommand.self, CopyCommand.self, ListCommand.self, LogsCommand.self,
          TopCommand.self, StatsCommand.self, StartCommand.self,
          AttachCommand.self, CaptureCommand.self, PauseCommand.self, UnpauseCommand.self, StopCommand.self,
          RestartCommand.self, KillCommand.self, WaitCommand.self, InspectCommand.self, ResizeCommand.self,
          BalloonCommand.self,
          RenameCommand.self, RemoveCommand.self, PruneCommand.self,
        ]),
      CommandGroup(
        name: "What machines wrote",
        subcommands: [DiffCommand.self, ApplyCommand.self, DiscardCommand.self, CommitCommand.self]),
      CommandGroup(name: "Packs", subcommands: [PackCommand.self]),
      CommandGroup(name: "Kernels", subcommands: [KernelCommand.self]),
      CommandGroup(name: "This host", subcommands: [DoctorCommand.self, GenerateCommand.self, VersionCommand.self]),
    ])

  /// `novm` alone greets with what to do first.
  func run() throws {
    print(
      """
      novm turns directory trees into machines.

        1. novm doctor                     can this host run machines?
        2. novm kernel import              make a kernel ready to boot
        3. novm run -- /bin/ls -la /       run a command in a machine of its own

      More: novm --help
      """)
  }

  static func main() {
    StandardStreams.fill()
    do {
      let arguments = try MachineFile.expand(OldNames.expand(ByteString.arguments()))
      if arguments.first == "help" {
        if let name = arguments.dropFirst().first { _ = try command(name) }
      } else if let name = arguments.first {
        called = try command(name)
      }
      try Surroundings.requireText()
      var command = try parseAsRoot(arguments)
      try command.run()
      try StandardOutput.finish()
    } catch {
      CommandFailure.exit(error, of: Self.self)
    }
  }

  /// The command of a name or an alias; nil for an option. The parser calls a mistyped one an unexpected argument.
  private static func command(_ name: String) throws -> (any ParsableCommand.Type)? {
    if name.hasPrefix("-") { return nil }
    func names(_ command: any ParsableCommand.Type) -> [String] {
      [command._commandName] + command.configuration.aliases
    }
    let commands = whole.subcommands
    if let command = commands.first(where: { names($0).contains(name) }) { return command }
    let near = Suggestion.nearest(to: name, in: commands.flatMap(names)).map { "did you mean \($0)?" }
    throw ValidationError("no command '\(name)'; \(near ?? "see: novm --help")")
  }
}

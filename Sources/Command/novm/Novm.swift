import ArgumentParser
import NovmKit

@main
struct Novm: ParsableCommand {
  static let configuration = CommandConfiguration(
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
    subcommands: [SuperviseCommand.self, MakeTemplateCommand.self, UnpackLayerCommand.self, ErrandCommand.self],
    groupedSubcommands: [
      CommandGroup(
        name: "Machines",
        subcommands: [
          RunCommand.self, CreateCommand.self, ExecCommand.self, CopyCommand.self, ListCommand.self, LogsCommand.self,
          TopCommand.self, StatsCommand.self, StartCommand.self,
          AttachCommand.self, CaptureCommand.self, PauseCommand.self, UnpauseCommand.self, StopCommand.self,
          RestartCommand.self, KillCommand.self, WaitCommand.self, InspectCommand.self, ResizeCommand.self,
          BalloonCommand.self, UpdateCommand.self,
          RenameCommand.self, RemoveCommand.self, PruneCommand.self,
        ]),
      CommandGroup(
        name: "What machines wrote",
        subcommands: [DiffCommand.self, ApplyCommand.self, DiscardCommand.self, CommitCommand.self]),
      CommandGroup(
        name: "Images and packs",
        subcommands: [ImageCommand.self, LoginCommand.self, LogoutCommand.self, PackCommand.self]),
      CommandGroup(name: "Kernels", subcommands: [KernelCommand.self]),
      CommandGroup(name: "For other programs", subcommands: [MCPCommand.self]),
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

      More: novm --help, and of a command: novm run -h (a screen), novm run --help (all)
      """)
  }

  static func main() {
    StandardStreams.fill()
    do {
      let arguments = try commandApart(OldNames.expand(ByteString.arguments()))
      try Surroundings.requireText()
      var command = try parse(arguments)
      try command.run()
      try StandardOutput.finish()
    } catch {
      CommandFailure.exit(error, of: Self.self)
    }
  }

  /// The words for the parser; those of the command that is to run go by it (``CommandWords``).
  private static func commandApart(_ arguments: [String]) throws -> [String] {
    guard var words = SplitWords(arguments) else { return arguments }
    words = try MachineFile.expand(words)
    if words.asksForHelp { return words.own + words.rest }
    if words.verb == "exec", words.machine.isEmpty, let first = words.rest.first, first.hasPrefix("--"), first != "--" {
      throw ValidationError(Suggestion.unknownOption(first, of: ExecCommand.self))
    }
    CommandWords.given = words.rest
    return words.own
  }

  /// Parses the words of one command by that command alone. Only where that fails, and for help, all sixty are shown to the
  /// parser, which asks each for its names and takes longer for it than most commands do.
  private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
    var words = arguments[...]
    if words.first == "help" {
      if let name = words.dropFirst().first { _ = try command(name, of: Self.self, path: "novm") }
    } else if let name = words.popFirst(), var command = try command(name, of: Self.self, path: "novm") {
      var path = name
      while let name = words.first, !command.configuration.subcommands.isEmpty,
        let next = try self.command(name, of: command, path: "novm \(path)")
      {
        command = next
        path += " \(name)"
        words.removeFirst()
      }
      if command.configuration.subcommands.isEmpty, words == ["-h"] {
        throw CleanExit.message(ShortHelp(command, path: path).text)
      }
      if command.configuration.subcommands.isEmpty {
        do {
          let parsed = try command.parseAsRoot(Array(words))
          if type(of: parsed) == command { return parsed }
        } catch {
          // The parser misses an argument before it minds an option that there is not, and knows none of others' options.
          if let option = Suggestion.unknown(among: words, of: command),
            command.message(for: error).contains("Missing expected argument")
              || ForeignOptions.answer(String(option.prefix { $0 != "=" }), of: command) != nil
          {
            throw ValidationError(Suggestion.unknownOption(option, of: command))
          }
        }
      }
    }
    return try parseAsRoot(arguments)
  }

  /// The command of a name or an alias; nil for an option. The parser calls a mistyped one an unexpected argument.
  private static func command(
    _ name: String, of group: any ParsableCommand.Type, path: String
  ) throws -> (any ParsableCommand.Type)? {
    if name.hasPrefix("-") { return nil }
    let commands = group.configuration.subcommands
    if let command = commands.first(where: { $0.isCalled(name) }) { return command }
    if group == Self.self, let answer = ForeignOptions.commands[name] { throw ValidationError("\(name): \(answer)") }
    let near = Suggestion.nearest(to: name, in: commands.flatMap { $0.names }).map { "did you mean \($0)?" }
    throw ValidationError("no command '\(name)'; \(near ?? "see: \(path) --help")")
  }
}

extension ParsableCommand {
  fileprivate static var names: [String] { [_commandName] + configuration.aliases }

  fileprivate static func isCalled(_ name: String) -> Bool {
    _commandName == name || configuration.aliases.contains(name)
  }
}

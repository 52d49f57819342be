import ArgumentParser
import NovmKit

extension Suggestion {
  static func unknownOption<Command: ParsableCommand>(_ option: String, of command: Command.Type) -> String {
    let name = String(option.prefix { $0 != "=" })
    let near =
      nearest(to: name, in: options(of: command)).map { "; did you mean \($0)?" }
      ?? "; see: novm \(command._commandName) --help"
    return "unknown option '\(name)'\(near)"
  }

  /// The long options that a command's help tells of.
  private static func options<Command: ParsableCommand>(of command: Command.Type) -> [String] {
    command.helpMessage(columns: 1000).split(separator: "\n").flatMap { line -> [String] in
      let words = line.split(separator: " ").prefix(2)
      guard line.hasPrefix("  -") else { return [] }
      return words.filter { $0.hasPrefix("--") }.map { String($0.filter { $0 != "," }) }
    }
  }
}

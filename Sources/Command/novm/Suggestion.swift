import ArgumentParser
import NovmKit

extension Suggestion {
  /// The first word before `--` that looks like a long option, and is none of the command's.
  static func unknown(among words: ArraySlice<String>, of command: any ParsableCommand.Type) -> String? {
    let known = options(of: command) + ["--help", "--version"]
    return words.prefix { $0 != "--" }.first { word in
      word.hasPrefix("--") && !known.contains(String(word.prefix { $0 != "=" }))
    }
  }

  static func unknownOption(_ option: String, of command: any ParsableCommand.Type) -> String {
    let name = String(option.prefix { $0 != "=" })
    if let answer = ForeignOptions.answer(name, of: command) { return answer }
    let near =
      nearest(to: name, in: options(of: command)).map { "; did you mean \($0)?" }
      ?? "; see: novm \(command._commandName) --help"
    return "unknown option '\(name)'\(near)"
  }

  /// The long options that a command's help tells of.
  private static func options(of command: any ParsableCommand.Type) -> [String] {
    command.helpMessage(columns: 1000).split(separator: "\n").flatMap { line -> [String] in
      let words = line.split(separator: " ").prefix(2)
      guard line.hasPrefix("  -") else { return [] }
      return words.filter { $0.hasPrefix("--") }.map { String($0.filter { $0 != "," }) }
    }
  }
}

import ArgumentParser

/// The nearest of what would have been understood.
enum Suggestion {
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

  /// nil if all are too far for a slip of the finger.
  static func nearest(to word: String, in words: [String]) -> String? {
    let ranked = words.map { ($0, distance(word, $0)) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= max(1, word.count / 3) else { return nil }
    return best.0
  }

  /// Insertions, deletions and replacements from one word to the other (Levenshtein).
  static func distance(_ one: String, _ other: String) -> Int {
    let other = Array(other)
    var row = Array(0...other.count)
    for (i, left) in one.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, right) in other.enumerated() {
        let replaced = diagonal + (left == right ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[other.count]
  }
}

import ArgumentParser
import FoundationEssentials

/// What `-h` prints of a command: a screen, on which each option has one line. `--help` has the rest.
struct ShortHelp {
  private let command: any ParsableCommand.Type
  /// As one types it, without `novm`.
  private let path: String
  private static let columns = 80
  private static let margin = 30

  init(_ command: any ParsableCommand.Type, path: String) {
    self.command = command
    self.path = path
  }

  var text: String {
    let configuration = command.configuration
    let name = "novm \(path)"
    var lines = [
      configuration.abstract, "", "Usage: " + (configuration.usage ?? usage(name)).replacing("\n", with: "\n       "),
    ]
    let example = configuration.discussion.split(separator: "\n").map { $0.drop { $0 == " " } }.first {
      $0.hasPrefix("novm ")
    }
    if let example { lines.append("  e.g. \(example)") }
    lines.append("")
    for option in options { lines.append(Self.line(option)) }
    return (lines + ["", "More: \(name) --help"]).joined(separator: "\n")
  }

  private func usage(_ name: String) -> String {
    let words = options.filter { $0.kind == "positional" }.map { option in
      let word = "<\(option.valueName ?? "")>" + (option.isRepeating ? "..." : "")
      return option.isOptional ? "[\(word)]" : word
    }
    return ([name, "[OPTIONS]"] + words).joined(separator: " ")
  }

  private static func line(_ option: Option) -> String {
    let names = (option.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name }.sorted { $0.count < $1.count }
    let value = "<\(shortened(value: option.valueName ?? "", to: margin - 3 - label(names).count - 2))>"
    var label = label(names)
    if names.isEmpty {
      label = value
    } else if option.kind == "option" {
      label += " \(value)"
    }
    let start = max(margin, label.count + 4)
    let gap = String(repeating: " ", count: start - 2 - label.count)
    return "  " + label + gap + shortened(option.abstract ?? "", to: columns - start)
  }

  private static func label(_ names: [String]) -> String { names.joined(separator: ", ") }

  /// The parts that have to be given, where there is no room for those in brackets: the last of these goes first.
  private static func shortened(value: String, to room: Int) -> String {
    var value = value
    if value.hasSuffix("..."), value.count > room { value.removeLast(3) }
    while value.count > room, let open = value.lastIndex(of: "["), let close = value[open...].firstIndex(of: "]") {
      value.removeSubrange(open...close)
    }
    return value
  }

  /// The first sentence, as much of it as makes sense where it is too long.
  private static func shortened(_ text: String, to room: Int) -> String {
    let sentence = text.firstRange(of: ". ").map { text[..<$0.lowerBound] + "." } ?? text[...]
    if sentence.count <= room { return String(sentence) }
    // With what a clause that fits ends with.
    let start = sentence.prefix(room + 1)
    let clause = [", ", "; "].compactMap { start.ranges(of: $0).last?.lowerBound }.max()
    if let clause { return start[..<clause] + "." }
    let words = sentence.prefix(room - 1)
    return (words.lastIndex(of: " ").map { words[..<$0] } ?? words) + "…"
  }

  /// For whom a screen has no room: few have a use for them.
  private static let rare: Set<String> = [
    "version", "write-limit", "run-as", "cgroup", "uidmap", "gidmap", "cpu-affinity", "numa", "numa-distance",
    "debug-info", "huge-pages", "prefault", "entropy-rate", "shm-size", "com2", "template", "platform", "env-file",
    "label", "stop-signal", "health-cmd", "health-interval", "health-timeout", "health-start-period", "health-retries",
    "no-healthcheck",
  ]

  private var options: [Option] {
    let tool = try? JSONDecoder().decode(Tool.self, from: Data(command._dumpHelp().utf8))
    return tool?.command.arguments.filter {
      $0.shouldDisplay && $0.names?.contains { Self.rare.contains($0.name) } != true
    } ?? []
  }

  // As `--experimental-dump-help` has it.

  private struct Tool: Decodable {
    struct Command: Decodable { let arguments: [Option] }
    let command: Command
  }

  private struct Option: Decodable {
    struct Name: Decodable { let kind, name: String }
    let kind: String
    let shouldDisplay, isOptional, isRepeating: Bool
    let names: [Name]?
    let valueName, abstract: String?
  }
}

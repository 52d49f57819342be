import NovmKit

/// The command line of `run`, `create` or `exec`, split into novm's own words and those of the command that is to run.
///
/// The parser would do it too, but looks at all words for each of them: sixteen thousand took it ten seconds. So it never sees
/// the command's.
struct SplitWords {
  /// What an option takes.
  enum Kind {
    case flag
    case text
    /// As often as one likes.
    case list

    var takesValue: Bool { self != .flag }
  }

  /// One option, as it was given, with its value.
  struct Option {
    /// Its long name.
    var name: String
    var words: [String]
  }

  let verb: String
  private(set) var options: [Option] = []
  /// Of `exec`, before the command.
  private(set) var machine: [String] = []
  /// The command with what is before it, such as `--`, or what the parser will have a word about.
  var rest: [String] = []

  /// nil for another verb.
  init?(_ arguments: [String]) {
    guard let verb = arguments.first, let known = Self.options(of: verb) else { return nil }
    self.verb = verb
    var index = 1
    while index < arguments.count {
      let word = arguments[index]
      let found = Self.options(in: word, known)
      if let last = found.last {
        options += found.dropLast().map { Option(name: $0.name, words: [$0.short]) }
        let own = found.count > 1 ? last.short : word
        let count = last.hasValue || !(known[last.name]?.takesValue ?? false) ? 1 : 2
        options.append(Option(name: last.name, words: [own] + arguments[(index + 1)...].prefix(count - 1)))
        index += count
      } else if verb == "exec", machine.isEmpty, !word.hasPrefix("-") {
        machine = [word]
        index += 1
      } else {
        break
      }
    }
    rest = Array(arguments[min(index, arguments.count)...])
  }

  /// Options of a description, which those of the command line come after; without the word that names it.
  mutating func precede(by words: [String]) {
    options = words.map { Option(name: "", words: [$0]) } + options.filter { $0.name != "file" }
  }

  /// What is for the parser.
  var own: [String] { [verb] + options.flatMap(\.words) + machine }

  /// Whether the parser is asked for help rather than for a command.
  var asksForHelp: Bool { rest.first.map { ["-h", "--help", "--version"].contains($0) } ?? false }

  private struct Found {
    var name: String
    var letter: Character?
    var hasValue: Bool

    /// The letter as a word of its own.
    var short: String { "-" + (letter.map(String.init) ?? "") }
  }

  /// The options of one word: `--name`, `--name=value`, `-t`, `-it`, `-m2G`; none if it has something else.
  private static func options(in word: String, _ known: [String: Kind]) -> [Found] {
    guard word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 else { return [] }
    if word.hasPrefix("--") {
      let name = word.dropFirst(2).prefix { $0 != "=" }
      let long = aliases[String(name)] ?? String(name)
      return known[long] == nil ? [] : [Found(name: long, letter: nil, hasValue: word.contains("="))]
    }
    var found: [Found] = []
    var rest = word.dropFirst()
    while let letter = rest.popFirst() {
      guard let name = short[letter], let kind = known[name] else { return [] }
      if kind.takesValue, !rest.isEmpty {
        // What follows the letter is the value; behind flags that is said by a word of its own.
        return found.isEmpty ? [Found(name: name, letter: letter, hasValue: true)] : []
      }
      found.append(Found(name: name, letter: letter, hasValue: false))
    }
    return found
  }

  // MARK: What there is

  private static let machineOptions: [String: Kind] = [
    "read": .list, "write": .list, "share": .list, "volume": .list, "mount": .list, "tmpfs": .list, "shm-size": .text,
    "image": .text, "pull": .text, "platform": .text, "pack": .list, "hide": .list, "uidmap": .list, "gidmap": .list,
    "net": .text, "allow": .list,
    "deny": .list, "publish": .list, "publish-all": .flag, "label": .list, "nic": .list, "disk": .list, "pmem": .list,
    "root-disk": .text,
    "memory": .text, "dax": .text, "cpus": .text, "cpu-affinity": .text, "numa": .list, "numa-distance": .list,
    "kernel": .text, "debug-info": .text, "cmdline": .list,
    "kaslr": .text, "template": .text, "confine": .text, "write-limit": .text, "cgroup": .text, "run-as": .text,
    "hostname": .text, "init": .flag, "com1": .flag, "com2": .text, "no-balloon": .flag, "transport": .text,
    "huge-pages": .text, "prefault": .flag, "entropy-rate": .text,
  ]
  private static let processOptions: [String: Kind] = [
    "env": .list, "env-file": .list, "cwd": .text, "user": .text, "ulimit": .list, "terminal": .flag, "timeout": .text,
  ]
  private static let keepingOptions: [String: Kind] = [
    "file": .text, "interactive": .flag, "name": .text, "rm": .flag, "entrypoint": .text,
    "stop-signal": .text, "health-cmd": .text, "health-interval": .text, "health-timeout": .text,
    "health-start-period": .text,
    "health-retries": .text, "no-healthcheck": .flag,
  ]
  /// Those of `run` that a description may have as well.
  private static let runOptions: [String: Kind] = ["detach": .flag, "verbose": .flag, "timings": .flag]

  /// By their long names; nil for a command that runs none.
  static func options(of verb: String) -> [String: Kind]? {
    let making = machineOptions.merging(processOptions) { $1 }.merging(keepingOptions) { $1 }
    switch verb {
    case "create": return making
    case "run": return making.merging(runOptions) { $1 }.merging(["try": .flag]) { $1 }
    case "exec": return processOptions.merging(["interactive": .flag, "detach": .flag]) { $1 }
    default: return nil
    }
  }

  private static let short: [Character: String] = [
    "m": "memory", "e": "env", "u": "user", "t": "terminal", "i": "interactive", "d": "detach", "f": "file",
    "p": "publish", "P": "publish-all", "v": "volume", "w": "cwd", "l": "label",
  ]
  /// Other names of long options.
  private static let aliases: [String: String] = ["network": "net", "workdir": "cwd", "append": "cmdline"]
}

import ArgumentParser
import Glibc
import Host
import NovmKit

/// A machine described in a file (docs/machine-file.md): `novm run --file` and `novm create --file`.
///
/// The file says what options would, by the same names, so it is turned into them: they go before those of the command line,
/// where the later ones win and those that can be repeated add up. JSON is YAML too.
struct MachineFile {
  /// What an option takes.
  private enum Kind {
    case flag
    case text
    /// As often as one likes.
    case list
  }

  private static let options: [String: Kind] = [
    "read": .list, "write": .list, "share": .list, "volume": .list, "pack": .list, "hide": .list, "uidmap": .list,
    "gidmap": .list, "net": .text, "allow": .list, "deny": .list,
    "publish": .list, "nic": .list, "disk": .list, "pmem": .list,
    "root-disk": .text, "memory": .text, "dax": .text, "cpus": .text, "cpu-affinity": .text,
    "kernel": .text, "cmdline": .list, "kaslr": .text, "hostname": .text, "init": .flag, "com1": .flag, "com2": .text,
    "no-balloon": .flag,
    "transport": .text,
    "huge-pages": .text, "prefault": .flag, "entropy-rate": .text,
    "env": .list, "cwd": .text, "user": .text,
    "terminal": .flag, "interactive": .flag, "name": .text, "rm": .flag,
  ]
  /// Of `run` alone.
  private static let runOptions: [String: Kind] = ["detach": .flag, "verbose": .flag, "timings": .flag]
  private static let short: [String: String] = [
    "-m": "memory", "-e": "env", "-u": "user", "-t": "terminal", "-i": "interactive", "-d": "detach",
  ]
  private static let command = "command"

  /// The command line with what its file says in it, if it names one.
  static func expand(_ arguments: [String]) throws -> [String] {
    guard let verb = arguments.first, verb == "run" || verb == "create" else { return arguments }
    var arguments = arguments
    let known = verb == "run" ? options.merging(runOptions) { $1 } : options
    var file: String?
    var given: [String] = []
    var words: [String] = []
    var index = 1
    while index < arguments.count {
      if let letters = letters(arguments[index]) { arguments.replaceSubrange(index...index, with: letters) }
      let word = arguments[index]
      let name = long(word)
      if name == "file" {
        let inline = word.hasPrefix("--file=") ? String(word.dropFirst("--file=".count)) : nil
        guard let path = inline ?? (index + 1 < arguments.count ? arguments[index + 1] : nil) else { return arguments }
        if file != nil { throw ValidationError("--file: given twice; a machine has one description") }
        file = path
        index += inline == nil ? 2 : 1
      } else if let name, let kind = known[name] {
        let count = kind == .flag || word.contains("=") ? 1 : 2
        given += arguments[index..<min(index + count, arguments.count)]
        index += count
      } else {
        // The command, or what the parser will have a word about.
        words = Array(arguments[index...])
        break
      }
    }
    guard let file else { return arguments }
    let description = try MachineFile(file, known)
    if words.isEmpty || words == ["--"] { words = description.words.isEmpty ? [] : ["--"] + description.words }
    return [verb] + description.options + given + words
  }

  /// Several one-letter options in one word, such as `-it`, one by one.
  private static func letters(_ word: String) -> [String]? {
    guard word.hasPrefix("-"), !word.hasPrefix("--"), word.count > 2 else { return nil }
    let options = word.dropFirst().map { "-\($0)" }
    return options.allSatisfy { $0 == "-f" || short[$0] != nil } ? options : nil
  }

  private static func long(_ word: String) -> String? {
    if word == "-f" { return "file" }
    if let name = short[word] { return name }
    return word.hasPrefix("--") && word.count > 2 ? String(word.dropFirst(2).prefix { $0 != "=" }) : nil
  }

  // MARK: The file

  private let path: String
  private var options: [String] = []
  private var words: [String] = []

  private init(_ path: String, _ known: [String: Kind]) throws {
    self.path = path
    do throws(YAMLNode.Fault) {
      guard let document = try YAMLNode.parse(try Self.read(path)) else { return }
      guard case .map(let entries) = document.content else {
        throw YAMLNode.Fault(
          line: document.line, message: "no description; it begins with a name, such as 'memory: 1G'")
      }
      for entry in entries {
        if entry.key == Self.command {
          words = try list(entry.value, entry.key)
        } else if let kind = known[entry.key] {
          let words = try words(of: entry, kind)
          try Self.check(words, entry)
          options += words
        } else {
          let near = Suggestion.nearest(to: entry.key, in: known.keys.sorted() + [Self.command])
          throw YAMLNode.Fault(
            line: entry.line,
            message: "\(entry.key): no such setting; " + (near.map { "did you mean \($0)?" } ?? "see: man novm-run"))
        }
      }
    } catch {
      let place = error.line > 0 ? "\(path):\(error.line)" : path
      throw CommandFailure("\(place): \(error.message)")
    }
  }

  private static func read(_ path: String) throws(YAMLNode.Fault) -> [UInt8] {
    do throws(Errno) {
      let file =
        path == "-"
        ? try FileDescriptor.duplicate(of: STDIN_FILENO)
        : try FileDescriptor.open(Path(ByteString.bytes(path)), O_RDONLY)
      var content: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      while content.count <= limit {
        let count = try file.read(into: &buffer)
        if count == 0 { return content }
        content += buffer[..<count]
      }
    } catch {
      throw YAMLNode.Fault(line: 0, message: error.description)
    }
    throw YAMLNode.Fault(line: 0, message: "too large for a description")
  }

  private static let limit = 1 << 20

  /// An option as on the command line.
  private func words(of entry: YAMLNode.Entry, _ kind: Kind) throws(YAMLNode.Fault) -> [String] {
    switch kind {
    case .flag:
      guard case .scalar(let text, _) = entry.value.content, text == "true" || text == "false" else {
        throw YAMLNode.Fault(line: entry.value.line, message: "\(entry.key): is true or false")
      }
      return text == "true" ? ["--\(entry.key)"] : []
    case .text:
      return ["--\(entry.key)=\(try text(entry.value, entry.key))"]
    case .list:
      if entry.key == "env", case .map(let variables) = entry.value.content {
        var words: [String] = []
        for variable in variables { words.append("--env=\(variable.key)=\(try text(variable.value, "env"))") }
        return words
      }
      return try list(entry.value, entry.key).map { "--\(entry.key)=\($0)" }
    }
  }

  /// Tells what is wrong with a value by its line, as far as that shows without the others.
  private static func check(_ words: [String], _ entry: YAMLNode.Entry) throws(YAMLNode.Fault) {
    let message: String
    do {
      _ = try MachineRequest(try MachineOptions.parse(words).settings, directory: Surroundings.workingDirectory)
      return
    } catch let error as NovmError {
      message = error.message
    } catch {
      // What is no machine's is for the command itself to look at.
      let words = MachineOptions.message(for: error)
      guard words.contains("is invalid for") else { return }
      message = "--\(entry.key): \(words)"
    }
    throw YAMLNode.Fault(line: entry.line, message: message.hasPrefix("--") ? String(message.dropFirst(2)) : message)
  }

  private func list(_ node: YAMLNode, _ name: String) throws(YAMLNode.Fault) -> [String] {
    guard case .list(let items) = node.content else {
      if name == Self.command { throw YAMLNode.Fault(line: node.line, message: "command: is a list, such as [ls, -l]") }
      return [try text(node, name)]
    }
    var texts: [String] = []
    for item in items { texts.append(try text(item, name)) }
    return texts
  }

  private func text(_ node: YAMLNode, _ name: String) throws(YAMLNode.Fault) -> String {
    guard case .scalar(let text, let isPlain) = node.content, !(isPlain && text.isEmpty), !text.contains("\0") else {
      throw YAMLNode.Fault(line: node.line, message: "\(name): is a text, and there is none")
    }
    return text
  }
}

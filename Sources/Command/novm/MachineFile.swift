import ArgumentParser
import Glibc
import Host
import NovmKit

/// A machine described in a file (docs/machine-file.md): `novm run --file` and `novm create --file`.
///
/// The file says what options would, by the same names, so it is turned into them: they go before those of the command line,
/// where the later ones win and those that can be repeated add up. JSON is YAML too.
struct MachineFile {
  private static let command = "command"

  /// The command line with what its file says in it, if it names one.
  static func expand(_ words: SplitWords) throws -> SplitWords {
    let files = words.options.filter { $0.name == "file" }
    guard let file = files.first, let known = SplitWords.options(of: words.verb) else { return words }
    if files.count > 1 { throw ValidationError("--file: given twice; a machine has one description") }
    let inline = file.words[0].hasPrefix("--file=") ? String(file.words[0].dropFirst("--file=".count)) : nil
    let joined = file.words[0].hasPrefix("-f") && file.words[0] != "-f" ? String(file.words[0].dropFirst(2)) : nil
    // Without one the parser has a word about it.
    guard let path = inline ?? joined ?? file.words.dropFirst().first else { return words }
    let description = try MachineFile(path, known.filter { !["file", "try"].contains($0.key) })
    var words = words
    words.precede(by: description.options)
    if words.rest.isEmpty || words.rest == ["--"] {
      words.rest = description.words.isEmpty ? [] : ["--"] + description.words
    }
    return words
  }

  // MARK: The file

  private let path: String
  private var options: [String] = []
  private var words: [String] = []

  private init(_ path: String, _ known: [String: SplitWords.Kind]) throws {
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
      let mend = error == .notFound ? "; give a description's file, such as machine.yaml, or - for standard input" : ""
      throw YAMLNode.Fault(line: 0, message: error.description + mend)
    }
    throw YAMLNode.Fault(line: 0, message: "too large for a description")
  }

  private static let limit = 1 << 20

  /// An option as on the command line.
  private func words(of entry: YAMLNode.Entry, _ kind: SplitWords.Kind) throws(YAMLNode.Fault) -> [String] {
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
    } catch NovmError.grantWithoutNetwork {
      // Which another entry gives, or the command line.
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
    // YAML's own word for nothing is ~ (YAML 1.1, "null").
    guard case .scalar(let text, let isPlain) = node.content, !(isPlain && (text.isEmpty || text == "~")),
      !text.contains("\0")
    else {
      throw YAMLNode.Fault(line: node.line, message: "\(name): is a text, and there is none")
    }
    if let fault = NamedSettings.pathFault(name, text) {
      throw YAMLNode.Fault(line: node.line, message: "\(name): \(fault)")
    }
    return text
  }
}

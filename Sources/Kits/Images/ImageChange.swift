import FoundationEssentials

/// A line of a Containerfile that changes what an image says of its command, as `commit --change` and `import --change` take it.
///
/// The words are Docker's (`docker commit`), in the forms that its Dockerfile reference gives them.
package enum ImageChange: Equatable, Sendable {
  case command([String])
  case entrypoint([String])
  case environment([String])
  case expose([String])
  case labels([String])
  case stopSignal(String)
  case user(String)
  case volumes([String])
  case workingDirectory(String)

  /// The instructions that there are.
  package static let names = ["CMD", "ENTRYPOINT", "ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"]

  /// nil unless it is one of these instructions, with words that it takes.
  package init?(_ text: String) {
    let line = Self.trimmed(text[...])
    let name = line.prefix { !Self.isSpace($0) }
    let rest = Self.trimmed(line.dropFirst(name.count))
    guard !rest.isEmpty, !rest.unicodeScalars.contains("\0") else { return nil }
    switch name.uppercased() {
    case "CMD": self = .command(Self.list(rest) ?? ["/bin/sh", "-c", String(rest)])
    case "ENTRYPOINT": self = .entrypoint(Self.list(rest) ?? ["/bin/sh", "-c", String(rest)])
    case "ENV":
      guard let pairs = Self.pairs(rest) else { return nil }
      self = .environment(pairs)
    case "LABEL":
      guard let pairs = Self.pairs(rest) else { return nil }
      self = .labels(pairs)
    case "EXPOSE":
      guard let words = Self.words(rest), words.allSatisfy(Self.isPort) else { return nil }
      self = .expose(words)
    case "VOLUME":
      guard let words = Self.list(rest) ?? Self.words(rest), words.allSatisfy({ $0.hasPrefix("/") && $0 != "/" }) else {
        return nil
      }
      self = .volumes(words)
    case "STOPSIGNAL", "USER", "WORKDIR":
      guard let words = Self.words(rest), words.count == 1 else { return nil }
      switch name.uppercased() {
      case "STOPSIGNAL": self = .stopSignal(words[0])
      case "USER": self = .user(words[0])
      default: self = .workingDirectory(words[0])
      }
    default: return nil
    }
  }

  /// Applies changes to an image's configuration, all that is in it otherwise staying.
  ///
  /// An entrypoint takes the command of before along, as in Docker, unless another one comes with it.
  package static func apply(_ changes: [ImageChange], to document: inout JSONValue) {
    guard !changes.isEmpty else { return }
    var config = document["config"] ?? [:]
    if case .object = config {} else { config = [:] }
    func strings(_ words: [String]) -> JSONValue { .array(words.map { .string($0) }) }
    func set(_ name: String, _ words: [String]) {
      var members = config[name] ?? [:]
      if case .object = members {} else { members = [:] }
      for word in words { members[word] = [:] }
      config[name] = members
    }
    for change in changes {
      switch change {
      case .command(let words): config["Cmd"] = strings(words)
      case .entrypoint(let words):
        config["Entrypoint"] = strings(words)
        if !changes.contains(where: { if case .command = $0 { true } else { false } }) { config["Cmd"] = nil }
      case .environment(let pairs):
        var variables = (config["Env"]?.list ?? []).compactMap(\.text)
        for pair in pairs {
          let name = pair.prefix { $0 != "=" }
          if let place = variables.firstIndex(where: { $0.prefix { $0 != "=" } == name }) {
            variables[place] = pair
          } else {
            variables.append(pair)
          }
        }
        config["Env"] = strings(variables)
      case .labels(let pairs):
        var labels = config["Labels"] ?? [:]
        if case .object = labels {} else { labels = [:] }
        for pair in pairs {
          let name = pair.prefix { $0 != "=" }
          labels[String(name)] = .string(String(pair.dropFirst(name.count + 1)))
        }
        config["Labels"] = labels
      case .expose(let ports): set("ExposedPorts", ports.map { $0.contains("/") ? $0 : "\($0)/tcp" })
      case .volumes(let paths): set("Volumes", paths)
      case .stopSignal(let signal): config["StopSignal"] = .string(signal)
      case .user(let user): config["User"] = .string(user)
      case .workingDirectory(let path):
        let before = config["WorkingDir"]?.text ?? ""
        config["WorkingDir"] = .string(path.hasPrefix("/") ? path : (before.isEmpty ? "" : before) + "/" + path)
      }
    }
    document["config"] = config
  }

  // MARK: Words

  private static func isSpace(_ character: Character) -> Bool { character.isWhitespace }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text.drop(while: isSpace)
    while let last = text.last, isSpace(last) { text.removeLast() }
    return text
  }

  /// The words of a JSON list: the form without a shell.
  private static func list(_ text: Substring) -> [String]? {
    guard text.hasPrefix("[") else { return nil }
    return try? JSONDecoder().decode([String].self, from: Data(text.utf8))
  }

  private static func isPort(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let port = UInt16(parts[0]), port > 0 else { return false }
    return parts.count == 1 || ["tcp", "udp", "sctp"].contains(parts[1])
  }

  /// Words with spaces between them, in which quotes and backslashes keep spaces as a shell's do; nil where a quote has no end.
  private static func words(_ text: Substring) -> [String]? {
    var words: [String] = []
    var word: String?
    var quote: Character?
    var text = text
    while let character = text.popFirst() {
      if character == "\\", quote != "'", let next = text.popFirst() {
        word = (word ?? "") + String(next)
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        (quote, word) = (character, word ?? "")
      } else if quote == nil, isSpace(character) {
        if let word { words.append(word) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return quote == nil ? words : nil
  }

  /// `NAME=VALUE ...`, or `NAME VALUE` as Docker once had it.
  private static func pairs(_ text: Substring) -> [String]? {
    guard let words = words(text), let first = words.first else { return nil }
    guard first.contains("=") else {
      let name = text.prefix { !isSpace($0) }
      let value = trimmed(text.dropFirst(name.count))
      return value.isEmpty || name.contains("=") ? nil : ["\(name)=\(value)"]
    }
    return words.allSatisfy { $0.contains("=") && !$0.hasPrefix("=") } ? words : nil
  }
}

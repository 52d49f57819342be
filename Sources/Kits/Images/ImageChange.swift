import FoundationEssentials

/// A line of a Containerfile that changes what an image says of its command, as `commit --change` and `import --change` take it.
///
/// The words are Docker's (`docker commit`), in the forms that its Dockerfile reference gives them. Those of commands are their
/// shell's; in others the image's variables are filled in.
package enum ImageChange: Equatable, Sendable {
  case command([String])
  case entrypoint([String])
  case environment([ContainerfileWord])
  case expose([ContainerfileWord])
  case labels([ContainerfileWord])
  case stopSignal(String)
  case user(ContainerfileWord)
  case volumes([ContainerfileWord])
  case workingDirectory(ContainerfileWord)

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
      guard let words = ContainerfileWord.words(rest), Self.all(words, Self.isPort) else { return nil }
      self = .expose(words)
    case "VOLUME":
      guard let words = Self.paths(rest), Self.all(words, Self.isPlace) else { return nil }
      self = .volumes(words)
    case "STOPSIGNAL", "USER", "WORKDIR":
      guard let words = ContainerfileWord.words(rest), words.count == 1, words[0].literal != "" else { return nil }
      switch name.uppercased() {
      case "STOPSIGNAL":
        guard let signal = words[0].literal else { return nil }
        self = .stopSignal(signal)
      case "USER": self = .user(words[0])
      default: self = .workingDirectory(words[0])
      }
    default: return nil
    }
  }

  /// Applies changes to an image's configuration, all that is in it otherwise staying.
  ///
  /// An entrypoint takes the command of before along, as in Docker, unless another one comes with it. Variables are those of the
  /// image and of the changes before.
  ///
  /// - Throws: ``ImageError/change(_:)``.
  package static func apply(_ changes: [ImageChange], to document: inout JSONValue) throws(ImageError) {
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
      var variables = (config["Env"]?.list ?? []).compactMap(\.text)
      /// A word of this change's, which must be fit for it.
      func expanded(_ word: ContainerfileWord, _ isFit: (String) -> Bool) throws(ImageError) -> String {
        let text = word.expanded(variables)
        guard text.utf8.count < Self.longest, !text.unicodeScalars.contains("\0"), isFit(text) else {
          throw .change(word.source)
        }
        return text
      }
      func expanded(_ words: [ContainerfileWord], _ isFit: (String) -> Bool) throws(ImageError) -> [String] {
        var texts: [String] = []
        for word in words { texts.append(try expanded(word, isFit)) }
        return texts
      }
      switch change {
      case .command(let words): config["Cmd"] = strings(words)
      case .entrypoint(let words):
        config["Entrypoint"] = strings(words)
        if !changes.contains(where: { if case .command = $0 { true } else { false } }) { config["Cmd"] = nil }
      case .environment(let pairs):
        for pair in try expanded(pairs, isPair) {
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
        for pair in try expanded(pairs, isPair) {
          let name = pair.prefix { $0 != "=" }
          labels[String(name)] = .string(String(pair.dropFirst(name.count + 1)))
        }
        config["Labels"] = labels
      case .expose(let ports):
        set("ExposedPorts", try expanded(ports, isPort).map { $0.contains("/") ? $0 : "\($0)/tcp" })
      case .volumes(let paths): set("Volumes", try expanded(paths, isPlace))
      case .stopSignal(let signal): config["StopSignal"] = .string(signal)
      case .user(let user): config["User"] = .string(try expanded(user) { !$0.isEmpty })
      case .workingDirectory(let word):
        let path = try expanded(word) { !$0.isEmpty }
        let before = config["WorkingDir"]?.text ?? ""
        config["WorkingDir"] = .string(path.hasPrefix("/") ? path : before + "/" + path)
      }
    }
    document["config"] = config
  }

  // MARK: Words

  /// No image says more in one word.
  private static let longest = 1 << 20

  /// Whether each is fit that no variable is in yet.
  private static func all(_ words: [ContainerfileWord], _ isFit: (String) -> Bool) -> Bool {
    words.allSatisfy { $0.literal.map(isFit) ?? true }
  }

  private static func isPair(_ text: String) -> Bool { text.contains("=") && !text.hasPrefix("=") }

  /// Whether a path leads to a place below `/`, and can be one of a file's (path_resolution(7)).
  package static func isPlace(_ path: String) -> Bool {
    let names = path.split(separator: "/").filter { $0 != "." }
    return path.hasPrefix("/") && path.utf8.count < 4096 && !names.isEmpty
      && names.allSatisfy { $0 != ".." && $0.utf8.count < 256 }
  }

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

  /// A JSON list, or words with spaces between them.
  private static func paths(_ text: Substring) -> [ContainerfileWord]? {
    guard let list = list(text) else { return ContainerfileWord.words(text) }
    let words = list.compactMap { ContainerfileWord.words($0[...], splits: false)?.first }
    return !words.isEmpty && words.count == list.count ? words : nil
  }

  /// `NAME=VALUE ...`, or `NAME VALUE` as Docker once had it.
  private static func pairs(_ text: Substring) -> [ContainerfileWord]? {
    guard let words = ContainerfileWord.words(text), let first = words.first else { return nil }
    guard first.source.contains("=") else {
      let name = text.prefix { !isSpace($0) }
      let value = trimmed(text.dropFirst(name.count))
      return value.isEmpty ? nil : ContainerfileWord.words("\(name)=\(value)"[...], splits: false)
    }
    return words.allSatisfy { isPair($0.source) } ? words : nil
  }
}

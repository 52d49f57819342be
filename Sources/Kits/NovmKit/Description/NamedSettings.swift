import AgentProtocol
import FoundationEssentials
import Host
import Images

/// A machine, and perhaps its command, described by names and texts: those of the options and of files
/// (docs/machine-file.md).
///
/// What names there are, and what each takes, follows from the properties of ``MachineSettings`` and ``CommandSettings``.
package struct NamedSettings: Sendable {
  private enum Kind { case text, list, flag, time }

  private enum Value: Encodable, Sendable {
    case text(String)
    case list([String])
    case flag(Bool)
    case time(Double)

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .text(let text): try container.encode(text)
      case .list(let list): try container.encode(list)
      case .flag(let flag): try container.encode(flag)
      case .time(let seconds): try container.encode(seconds)
      }
    }
  }

  private var machine: [String: Value] = [:]
  private var process: [String: Value] = [:]
  package private(set) var name: String?
  /// Whether the machine is removed once it has ended.
  package private(set) var remove = false
  /// The program that gets the command's words in place of an image's.
  private var entrypoint: String?
  private var publishesAll = false
  /// Whether an image's own checks are left out.
  private var isUnchecked = false

  package init() {}

  // MARK: Names

  /// The names of a machine's settings, as options have them.
  private static let machineKinds = Self.kinds(of: MachineSettings())
  /// Those of its command's.
  private static let processKinds: [String: Kind] = {
    var kinds = Self.kinds(of: CommandSettings()).filter { !["called-in", "health"].contains($0.key) }
    kinds["interactive"] = kinds.removeValue(forKey: "input")
    kinds["timeout"] = .time
    return kinds
  }()
  private static let ownKinds: [String: Kind] = [
    "name": .text, "rm": .flag, "entrypoint": .text, "publish-all": .flag, "no-healthcheck": .flag,
  ]

  package static var names: [String] {
    (Array(machineKinds.keys) + Array(processKinds.keys) + Array(ownKinds.keys)).sorted()
  }

  private static func kinds(of settings: Any) -> [String: Kind] {
    var kinds: [String: Kind] = [:]
    for case (let label?, let value) in Mirror(reflecting: settings).children {
      kinds[option(label)] = value is [String] ? .list : value is Bool ? .flag : .text
    }
    return kinds
  }

  /// `noBalloon` is `no-balloon`.
  private static func option(_ property: String) -> String {
    property.reduce(into: "") { $0 += $1.isUppercase ? "-\($1.lowercased())" : String($1) }
  }

  private static func property(_ option: String) -> String {
    let words = option.split(separator: "-")
    return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
  }

  private static func kind(_ name: String, _ line: Int) throws(NovmError) -> Kind {
    if let kind = machineKinds[name] ?? processKinds[name] ?? ownKinds[name] { return kind }
    let near = Suggestion.nearest(to: name, in: names)
    throw .setting(
      ByteString.printable(name), line: line,
      "no such setting; " + (near.map { "did you mean \($0)?" } ?? "see docs/machine-file.md"))
  }

  // MARK: Setting

  /// Sets what takes one value, and adds to what takes several.
  ///
  /// - Parameter text: `true` or `false` for what is so or not.
  package mutating func set(_ name: String, _ text: String, line: Int = 0) throws(NovmError) {
    try set(name, [text], line)
  }

  /// - Parameter texts: several for what takes several.
  private mutating func set(_ name: String, _ texts: [String], _ line: Int) throws(NovmError) {
    let kind = try Self.kind(name, line)
    for text in texts {
      if text.utf8.contains(0) {
        throw .setting(name, line: line, "has a NUL in it, which no name or argument can have")
      }
      if let fault = Self.pathFault(name, text) { throw .setting(name, line: line, fault) }
      if name == "ulimit", ResourceLimit(text) == nil { throw .setting(name, line: line, ResourceLimit.advice) }
      if name == "env", !text.contains("=") { throw .setting(name, line: line, "'\(text)' is not NAME=VALUE") }
    }
    if kind == .list {
      append(texts, to: name)
    } else {
      for text in texts { try set(name, text, kind, line) }
    }
    try check(name, line)
  }

  /// - Parameter kind: not a list.
  private mutating func set(_ name: String, _ text: String, _ kind: Kind, _ line: Int) throws(NovmError) {
    switch kind {
    case .text, .list:
      // Which the guest would take for root.
      if name == "user", text.isEmpty {
        throw .setting(name, line: line, "'' names nobody; give a name or a number, or leave it out for root")
      }
      if name == "stop-signal", SignalName.number(text) == nil {
        throw .setting(name, line: line, "'\(text)' \(SignalName.advice)")
      }
      put(name, .text(text))
    case .flag:
      guard text == "true" || text == "false" else { throw .setting(name, line: line, "is true or false") }
      put(name, .flag(text == "true"))
    case .time:
      guard let span = TimeSpan(text) else {
        throw .setting(
          name, line: line, "'\(text)' \(TimeSpan.advice)")
      }
      put(name, .time(Double(span.seconds)))
    }
  }

  private mutating func append(_ texts: [String], to name: String) {
    let property = Self.property(name)
    // Out of where it is meanwhile, so that what there is already is not copied.
    let isProcess = Self.processKinds[name] != nil
    let old = isProcess ? process.removeValue(forKey: property) : machine.removeValue(forKey: property)
    var list: [String] = []
    if case .list(let elements)? = old { list = elements }
    list += texts
    put(name, .list(list))
  }

  /// What is wrong with a path for a setting that has one of the host's: nobody makes a directory of `~` here, as a shell
  /// does.
  package static func pathFault(_ name: String, _ text: String) -> String? {
    let isHome =
      text == "~" || text.hasPrefix("~/") || text.hasSuffix("=~") || text.hasSuffix("=>~") || text.contains("=~/")
      || text.contains("=>~/")
    guard isHome, hostPaths.contains(name) else { return nil }
    return "~ stands for no directory in a file; write the path whole"
  }

  private static let hostPaths: Set<String> = [
    "read", "write", "share", "volume", "mount", "disk", "root-disk", "pmem", "kernel", "com2", "publish", "cwd",
    "env-file",
  ]

  private mutating func put(_ name: String, _ value: Value) {
    switch (name, value) {
    case ("name", .text(let text)): self.name = text
    case ("rm", .flag(let flag)): remove = flag
    case ("entrypoint", .text(let text)): entrypoint = text
    case ("publish-all", .flag(let flag)): publishesAll = flag
    case ("no-healthcheck", .flag(let flag)): isUnchecked = flag
    case ("interactive", _): process["input"] = value
    case _ where Self.processKinds[name] != nil: process[Self.property(name)] = value
    default: machine[Self.property(name)] = value
    }
  }

  /// Tells what is wrong with a value when it is set, as far as that shows without the others.
  private func check(_ name: String, _ line: Int) throws(NovmError) {
    guard Self.machineKinds[name] != nil else { return }
    guard var settings: MachineSettings = Self.decode(machine) else {
      throw .setting(name, line: line, "none of the values that it takes")
    }
    // The network that grants are of may yet come; who makes the machine asks for it.
    if machine["net"] == nil, !(settings.allow.isEmpty && settings.deny.isEmpty) { settings.net = .user }
    do throws(NovmError) {
      _ = try MachineRequest(settings, directory: [UInt8(ascii: "/")])
    } catch {
      let message = error.message
      throw .setting(
        name, line: line, message.hasPrefix("--\(name): ") ? String(message.dropFirst(name.count + 4)) : message)
    }
  }

  /// Takes a description in YAML or JSON.
  package mutating func parse(_ text: [UInt8]) throws(NovmError) {
    if text.count > Self.limit { throw .setting("", line: 0, "too large for a description") }
    let document: YAMLNode?
    do { document = try YAMLNode.parse(text) } catch { throw .setting("", line: error.line, error.message) }
    guard let document else { return }
    guard case .map(let entries) = document.content else {
      throw .setting("", line: document.line, "no description; it begins with a name, such as 'memory: 1G'")
    }
    var new = self
    for entry in entries { try new.set(entry.key, try Self.values(of: entry), entry.line) }
    self = new
  }

  private static let limit = 1 << 20

  private static func values(of entry: YAMLNode.Entry) throws(NovmError) -> [String] {
    let kind = try kind(entry.key, entry.line)
    switch (kind, entry.value.content) {
    case (.list, .list(let items)):
      var values: [String] = []
      for item in items { values.append(try scalar(item, entry.key)) }
      return values
    case (.list, .map(let variables)) where entry.key == "env":
      var values: [String] = []
      for variable in variables { values.append("\(variable.key)=\(try scalar(variable.value, entry.key))") }
      return values
    case (.list, _) where entry.key == "command":
      throw .setting(entry.key, line: entry.line, "is a list, such as [ls, -l]")
    default: return [try scalar(entry.value, entry.key)]
    }
  }

  private static func scalar(_ node: YAMLNode, _ name: String) throws(NovmError) -> String {
    guard case .scalar(let text, let isPlain) = node.content, !(isPlain && (text.isEmpty || text == "~")) else {
      throw .setting(name, line: node.line, "is a text, and there is none")
    }
    return text
  }

  // MARK: What was set

  /// The machine; relative paths start at the directory.
  ///
  /// - Parameter images: where the image is that it names, if it names one.
  /// - Returns: also what keeps the image's layers until the machine's description does: for as long as it lives.
  package func definition(
    directory: [UInt8], images: ImageStore
  ) throws(NovmError) -> (definition: MachineDefinition, layers: SharedFile?) {
    guard var machine: MachineSettings = Self.decode(machine), var process: CommandSettings = Self.decode(process)
    else {
      throw .setting("", line: 0, "cannot be understood")
    }
    var layers: SharedFile?
    var image: Image?
    if let name = machine.image {
      do throws(ImageError) {
        layers = SharedFile(try images.holdLayers())
        image = try images.find(name)
      } catch {
        throw .image(error)
      }
    } else if publishesAll {
      throw .publishAllWithoutImage
    }
    process.command = process.words(of: image, entrypoint: entrypoint)
    if let image {
      machine = try machine.made(of: image, publishesAll: publishesAll, directory: directory)
      process = try process.completed(by: image)
      process.health = isUnchecked ? nil : HealthCheck(image)
    }
    let definition = MachineDefinition(
      machine: try machine.absolute(directory), process: process.command.isEmpty ? nil : process, remove: remove)
    return (definition, layers)
  }

  private static func decode<Settings: Decodable>(_ values: [String: Value]) -> Settings? {
    guard let json = try? JSONEncoder().encode(values) else { return nil }
    return try? JSONDecoder().decode(Settings.self, from: json)
  }
}

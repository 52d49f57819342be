import Host
import Images
import Novm
import NovmKit

/// What a client of `novm mcp` can do: machines of one definition, and what is in them.
///
/// Unchecked: what changes is used with the lock held.
final class MCPTools: @unchecked Sendable {
  private let store: Store
  private let definition: MachineDefinition
  private let mayApply: Bool
  private let most: Int
  private let lock = Lock()
  /// Those on their way, too.
  private var machines: [String: Machine] = [:]
  /// No more are to come.
  private var isOver = false

  /// For a file's way in or out.
  private static let patience = Duration.seconds(60)
  /// What a tool tells of output or a file, in bytes; more is no use to a model.
  private static let textLimit = 256 << 10

  init(_ store: Store, _ definition: MachineDefinition, mayApply: Bool, most: Int) {
    self.store = store
    self.definition = definition
    self.mayApply = mayApply
    self.most = most
  }

  /// Ends and removes all machines.
  func end() {
    let last = lock.withLock {
      isOver = true
      return Array(machines.values)
    }
    for machine in last { try? Self.discard(machine) }
  }

  private static func discard(_ machine: Machine) throws(Failure) {
    try machine.kill()
    try machine.remove()
  }

  // MARK: What there is

  var instructions: String {
    "Machines are virtual machines of this host's files, which they cannot change: what they write is kept apart, and "
      + "changes_list tells it. Start one with machine_start, work in it with command_run, and remove it with machine_remove."
  }

  var list: [JSONValue] {
    var tools: [JSONValue] = [
      Self.tool("machine_start", "Start a machine. Gives its name, which the other tools take.", [:], []),
      Self.tool("machine_list", "List the machines that were started, and how they fare.", [:], []),
      Self.tool(
        "machine_remove", "End a machine and remove it with all that it wrote.", ["machine": Self.machine], ["machine"]),
      Self.tool(
        "command_run", "Run a command in a machine to its end. Gives its output and exit status.",
        [
          "machine": Self.machine,
          "command": [
            "description": "The command and its arguments; or one text for sh -c.",
            "anyOf": [["type": "string"], ["type": "array", "items": ["type": "string"]]],
          ],
          "directory": Self.text("The working directory in the machine."),
          "input": Self.text("What it reads on standard input."),
          "environment": [
            "type": "object", "additionalProperties": ["type": "string"], "description": "Variables, by name.",
          ],
          "timeout": ["type": "number", "description": "Seconds after which it is ended, with status 124."],
        ], ["machine", "command"]),
      Self.tool(
        "file_read", "Read a file of a machine's, as text.", ["machine": Self.machine, "path": Self.path],
        ["machine", "path"]),
      Self.tool(
        "file_write", "Write a file of a machine's.",
        ["machine": Self.machine, "path": Self.path, "content": Self.text("All that is to be in it.")],
        ["machine", "path", "content"]),
      Self.tool(
        "changes_list",
        "List what a machine changed: A added, C changed, D deleted. What it has not written back yet is not shown.",
        ["machine": Self.machine, "paths": Self.paths], ["machine"]),
    ]
    if mayApply {
      tools.append(
        Self.tool(
          "changes_apply",
          "End a machine and bring what it changed back to the host's directories. Nothing is applied if something in the way was "
            + "changed on the host since.",
          ["machine": Self.machine, "paths": Self.paths], ["machine"]))
    }
    return tools
  }

  private static let machine = text("The machine's name, as machine_start gave it.")
  private static let path = text("An absolute path in the machine.")
  private static let paths: JSONValue = [
    "type": "array", "items": ["type": "string"],
    "description": "Absolute paths in the machine: these and what is below them; all if left out.",
  ]

  private static func text(_ description: String) -> JSONValue {
    ["type": "string", "description": .string(description)]
  }

  private static func tool(
    _ name: String, _ description: String, _ properties: JSONValue, _ required: [String]
  ) -> JSONValue {
    [
      "name": .string(name), "description": .string(description),
      "inputSchema": [
        "type": "object", "properties": properties, "required": .array(required.map { .string($0) }),
        "additionalProperties": false,
      ],
    ]
  }

  // MARK: Calls

  /// - Returns: the result, which tells of a failure too; nil if there is no such tool.
  func call(_ name: String, _ arguments: JSONValue, _ call: MCPCall) -> JSONValue? {
    do throws(Failure) {
      switch name {
      case "machine_start": return Self.result(try start())
      case "machine_list": return Self.result(try states())
      case "machine_remove": return Self.result(try remove(arguments))
      case "command_run": return try run(arguments, call)
      case "file_read": return Self.result(try read(arguments))
      case "file_write": return Self.result(try write(arguments))
      case "changes_list": return Self.result(try changes(arguments))
      case "changes_apply" where mayApply: return Self.result(try apply(arguments))
      default: return nil
      }
    } catch {
      return Self.result(error.message, isError: true)
    }
  }

  private static func result(_ text: String, isError: Bool = false) -> JSONValue {
    ["content": [["type": "text", "text": .string(text)]], "isError": .bool(isError)]
  }

  private func start() throws(Failure) -> String {
    // Made and entered at once: there is none that end() does not see.
    let machine = try lock.withLock { () throws(Failure) -> Machine in
      if isOver { throw Failure(.canceled, "the client is gone") }
      guard machines.count < most else {
        throw Failure(.argument, "there are \(most) machines, which is all that may be; remove one with machine_remove")
      }
      let machine = try store.create(definition)
      machines[machine.name] = machine
      return machine
    }
    do throws(Failure) {
      try machine.start(patience: .seconds(120))
    } catch {
      try? Self.discard(machine)
      lock.withLock { machines[machine.name] = nil }
      throw error
    }
    return machine.name
  }

  private func states() throws(Failure) -> String {
    var lines: [String] = []
    for machine in lock.withLock({ Array(machines.values) }) {
      lines.append("\(machine.name) \(try machine.state.name)")
    }
    return lines.isEmpty ? "no machines; start one with machine_start" : lines.sorted().joined(separator: "\n")
  }

  private func machine(_ arguments: JSONValue) throws(Failure) -> Machine {
    let name = try Self.required(arguments, "machine")
    guard let machine = lock.withLock({ machines[name] }) else {
      throw Failure(
        .missing, "no machine '\(ByteString.printable(name))' of this client's; machine_list shows them", about: name)
    }
    return machine
  }

  private static func required(_ arguments: JSONValue, _ name: String) throws(Failure) -> String {
    guard let text = arguments[name]?.text else { throw Failure(.argument, "\(name): is a text", about: name) }
    return text
  }

  /// nil if it is left out.
  private static func text(_ arguments: JSONValue, _ name: String) throws(Failure) -> String? {
    guard let value = arguments[name], value != .null else { return nil }
    guard let text = value.text else { throw Failure(.argument, "\(name): is a text", about: name) }
    return text
  }

  private static func texts(_ list: [JSONValue], _ name: String) throws(Failure) -> [String] {
    var texts: [String] = []
    for element in list {
      guard let text = element.text else { throw Failure(.argument, "\(name): is a list of texts alone", about: name) }
      texts.append(text)
    }
    return texts
  }

  private func remove(_ arguments: JSONValue) throws(Failure) -> String {
    let machine = try machine(arguments)
    lock.withLock { machines[machine.name] = nil }
    try Self.discard(machine)
    return "\(machine.name) is removed"
  }

  private func run(_ arguments: JSONValue, _ call: MCPCall) throws(Failure) -> JSONValue {
    let machine = try machine(arguments)
    let words: [String]
    switch arguments["command"] {
    case .string(let text)?: words = ["/bin/sh", "-c", text]
    case .array(let list)?: words = try Self.texts(list, "command")
    default: throw Failure(.argument, "command: is a text, or a list of texts", about: "command")
    }
    var command = Command(words.map { Array($0.utf8) })
    command.output = .collected(limit: Self.textLimit)
    command.error = .collected(limit: Self.textLimit)
    if let directory = try Self.text(arguments, "directory") { command.directory = Array(directory.utf8) }
    if let input = try Self.text(arguments, "input") { command.input = .bytes(Array(input.utf8)) }
    switch arguments["environment"] {
    case .object(let variables)?:
      for name in variables.keys {
        let value = try Self.text(arguments["environment"] ?? [:], name) ?? ""
        command.environment.append(Array("\(name)=\(value)".utf8))
      }
    case .null?, nil: break
    default: throw Failure(.argument, "environment: is texts by name", about: "environment")
    }
    if let timeout = arguments["timeout"], timeout != .null {
      guard let seconds = timeout.seconds else { throw Failure(.argument, "timeout: is a number", about: "timeout") }
      command.limit = .milliseconds(Int64(min(max(seconds, 0.001), 1e6) * 1000))
    }
    let running = try machine.run(command)
    call.follow(running)
    let started = MonotonicTime.now
    while true {
      do throws(Failure) {
        let status = try running.wait(.seconds(2))
        var text = String(decoding: running.output, as: UTF8.self)
        let errors = String(decoding: running.error, as: UTF8.self)
        if !errors.isEmpty { text += (text.isEmpty ? "" : "\n") + "standard error:\n" + errors }
        if running.isTruncated { text += "\n(cut short)" }
        var result = Self.result(text + "\nexit status \(status)", isError: status != 0)
        if case .object(var members) = result {
          members["structuredContent"] = ["exitStatus": .integer(Int64(status))]
          result = .object(members)
        }
        return result
      } catch {
        guard error.code == .timedOut else { throw error }
        let seconds = Double(MonotonicTime.now.nanoseconds - started.nanoseconds) / 1e9
        let last = running.output.suffix(200).split(separator: UInt8(ascii: "\n")).last.map {
          String(printable: Array($0))
        }
        call.progress(seconds, last ?? "it runs")
      }
    }
  }

  private func read(_ arguments: JSONValue) throws(Failure) -> String {
    let content = try machine(arguments).read(
      Array(Self.required(arguments, "path").utf8), limit: Self.textLimit, patience: Self.patience)
    return String(decoding: content, as: UTF8.self)
  }

  private func write(_ arguments: JSONValue) throws(Failure) -> String {
    let (path, content) = (try Self.required(arguments, "path"), try Self.required(arguments, "content"))
    try machine(arguments).write(Array(content.utf8), to: Array(path.utf8), patience: Self.patience)
    return "\(content.utf8.count) bytes are in \(path)"
  }

  /// None stands for all: so what is no list of texts must not come to none.
  private static func paths(_ arguments: JSONValue) throws(Failure) -> [[UInt8]] {
    guard let value = arguments["paths"], value != .null else { return [] }
    guard let list = value.list else { throw Failure(.argument, "paths: is a list of texts", about: "paths") }
    return try texts(list, "paths").map { Array($0.utf8) }
  }

  private func changes(_ arguments: JSONValue) throws(Failure) -> String {
    Self.text(try machine(arguments).changes(try Self.paths(arguments)).list)
  }

  private static func text(_ changes: [Change]) -> String {
    let lines = changes.map { change in
      "\(change.kind.rawValue.prefix(1).uppercased()) \(String(printable: change.path))"
    }
    return lines.isEmpty ? "nothing changed" : lines.joined(separator: "\n")
  }

  private func apply(_ arguments: JSONValue) throws(Failure) -> String {
    let (machine, paths) = (try machine(arguments), try Self.paths(arguments))
    try machine.stop()
    let changes = try machine.changes(paths)
    try changes.apply()
    return "applied:\n" + Self.text(changes.list)
  }
}

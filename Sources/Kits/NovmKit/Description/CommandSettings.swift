import AgentProtocol

/// What a user asks of a command in a machine, as text; see ``MachineSettings``.
package struct CommandSettings: Codable, Equatable, Sendable {
  /// The command and its arguments.
  package var command: [String] = []
  /// `NAME=VALUE`.
  package var env: [String] = []
  package var cwd: String?
  /// Where it was called, for a tree that has that directory; without `cwd`.
  package var calledIn: String?
  /// Seconds after which it is ended.
  package var timeout: Double?
  package var user: String?
  /// As ``ResourceLimit`` parses them.
  package var ulimit: [String] = []
  package var terminal = false
  /// Whether its input stays open though nobody is there yet.
  package var input = false
  /// What ends it when the machine is stopped, as a name or number; SIGTERM if nil.
  package var stopSignal: String?
  package var health: HealthCheck?

  package init() {}

  package init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.read(.command, into: &command)
    try keys.read(.env, into: &env)
    try keys.read(.cwd, into: &cwd)
    try keys.read(.calledIn, into: &calledIn)
    try keys.read(.timeout, into: &timeout)
    try keys.read(.user, into: &user)
    try keys.read(.ulimit, into: &ulimit)
    try keys.read(.terminal, into: &terminal)
    try keys.read(.input, into: &input)
    try keys.read(.stopSignal, into: &stopSignal)
    try keys.read(.health, into: &health)
  }

  /// What the guest's agent is told of it.
  package var agentCommand: Command {
    var result = Command(
      arguments: command.map(ByteString.bytes), environment: env.map(ByteString.bytes),
      directory: ByteString.bytes(cwd ?? calledIn ?? ""), user: ByteString.bytes(user ?? ""),
      limits: ulimit.compactMap { ResourceLimit($0) })
    if cwd == nil, calledIn != nil { result.options.insert(.directoryMayMiss) }
    if input { result.options.insert(.input) }
    if terminal {
      result.options.insert(.terminal)
      result.window = Terminal.windowSize() ?? WindowSize(rows: 24, columns: 80)
    }
    return result
  }
}

import FoundationEssentials
import Glibc
import Host
import Images
import Novm

/// The Model Context Protocol on standard input and output: a JSON-RPC message on each line (specification of 2025-06-18,
/// "Base Protocol", "Transports").
///
/// Unchecked: what changes is used with the lock held.
final class MCPServer: @unchecked Sendable {
  private let tools: MCPTools
  private let lock = Lock()
  /// Calls that run, by their identifiers.
  private var calls: [String: MCPCall] = [:]

  private static let versions = ["2025-06-18", "2025-03-26", "2024-11-05"]
  /// A message may be so long, in bytes.
  private static let lineLimit = 16 << 20
  private static let callLimit = 64

  init(_ tools: MCPTools) { self.tools = tools }

  /// Returns when the client has closed its side.
  func serve() {
    var pending: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { break }
      pending += buffer[..<count]
      while let newline = pending.firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(pending[..<newline])
        pending.removeSubrange(...newline)
        if !line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) { take(line) }
      }
      if pending.count > Self.lineLimit { break }
    }
    for call in lock.withLock({ Array(calls.values) }) { call.cancel() }
  }

  private func take(_ line: [UInt8]) {
    guard let message = try? JSONDecoder().decode(JSONValue.self, from: Data(line)) else {
      return send(["jsonrpc": "2.0", "id": .null, "error": ["code": -32700, "message": "not JSON"]])
    }
    guard let method = message["method"]?.text else {
      // An answer, to what was never asked.
      if message["result"] != nil || message["error"] != nil { return }
      return fail(message["id"] ?? .null, -32600, "no request")
    }
    let parameters = message["params"] ?? [:]
    guard let id = message["id"], id != .null else {
      if method == "notifications/cancelled", let request = parameters["requestId"] {
        lock.withLock { calls[Self.key(request)] }?.cancel()
      }
      return
    }
    guard Self.isIdentifier(id) else { return fail(.null, -32600, "id: is a text or a number") }
    switch method {
    case "initialize":
      let asked = parameters["protocolVersion"]?.text ?? ""
      answer(
        id,
        [
          "protocolVersion": .string(Self.versions.contains(asked) ? asked : Self.versions[0]),
          "capabilities": ["tools": [:]],
          "serverInfo": ["name": "novm", "version": .string(Version.number)],
          "instructions": .string(tools.instructions),
        ])
    case "ping": answer(id, [:])
    case "tools/list": answer(id, ["tools": .array(tools.list)])
    case "tools/call": begin(id, parameters)
    default: fail(id, -32601, "no method \(method)")
    }
  }

  /// Each call has a thread of its own: others go on meanwhile, and one can be cancelled.
  private func begin(_ id: JSONValue, _ parameters: JSONValue) {
    guard let name = parameters["name"]?.text else { return fail(id, -32602, "name: which tool?") }
    let key = Self.key(id)
    let token = parameters["_meta"]?["progressToken"]
    if let token, !Self.isIdentifier(token) { return fail(id, -32600, "progressToken: is a text or a number") }
    let call = MCPCall { [self] seconds, words in
      guard let token else { return }
      send([
        "jsonrpc": "2.0", "method": "notifications/progress",
        "params": ["progressToken": token, "progress": .number(seconds), "message": .string(words)],
      ])
    }
    let isTaken = lock.withLock {
      if calls.count >= Self.callLimit || calls[key] != nil { return false }
      calls[key] = call
      return true
    }
    guard isTaken else { return fail(id, -32600, "too many calls at once, or one with this id already") }
    let thread = try? Thread("mcp-call") { [self] in
      let result = tools.call(name, parameters["arguments"] ?? [:], call)
      lock.withLock { calls[key] = nil }
      // Who cancelled it wants no answer ("Cancellation").
      if call.isCancelled { return }
      if let result { answer(id, result) } else { fail(id, -32602, "no tool \(name)") }
    }
    if thread == nil {
      lock.withLock { calls[key] = nil }
      fail(id, -32603, "the host has no room for another thread")
    }
  }

  /// All else is no identifier, and may be as long and as deep as a message ("Requests").
  private static func isIdentifier(_ value: JSONValue) -> Bool {
    switch value {
    case .string, .integer, .number: true
    case .null, .bool, .array, .object: false
    }
  }

  private static func key(_ id: JSONValue) -> String { "\(id)" }

  private func answer(_ id: JSONValue, _ result: JSONValue) { send(["jsonrpc": "2.0", "id": id, "result": result]) }

  private func fail(_ id: JSONValue, _ code: Int64, _ words: String) {
    send(["jsonrpc": "2.0", "id": id, "error": ["code": .integer(code), "message": .string(words)]])
  }

  private func send(_ message: JSONValue) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(message) else { return }
    let line = Array(data) + [UInt8(ascii: "\n")]
    lock.withLock {
      var offset = 0
      while offset < line.count {
        let count = line.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress! + offset, $0.count - offset) }
        if count < 0, errno == EINTR { continue }
        // Nobody is there to be told; the end of input will say so.
        if count <= 0 { return }
        offset += count
      }
    }
  }
}

/// A call that runs.
///
/// Unchecked: what changes is used with the lock held.
final class MCPCall: @unchecked Sendable {
  private let lock = Lock()
  private var wasCancelled = false
  private var command: RunningCommand?
  /// Told with seconds and words of how far it is.
  let progress: @Sendable (Double, String) -> Void

  init(progress: @escaping @Sendable (Double, String) -> Void) { self.progress = progress }

  var isCancelled: Bool { lock.withLock { wasCancelled } }

  func cancel() {
    let running = lock.withLock {
      wasCancelled = true
      return command
    }
    running?.cancel()
  }

  /// Gives a command up with the call.
  func follow(_ command: RunningCommand) {
    let isLate = lock.withLock {
      self.command = command
      return wasCancelled
    }
    if isLate { command.cancel() }
  }
}

import FoundationEssentials
import Store

/// `machine.json`: what a machine is, from when it is made until it is removed.
package struct MachineDefinition: Codable, Equatable, Sendable {
  package static let file = "machine.json"

  package var created = Date()
  package var machine: MachineSettings
  /// A machine without a command runs until it is stopped.
  package var process: CommandSettings?
  /// Whether it is removed once it has ended.
  package var remove = false

  package init(machine: MachineSettings, process: CommandSettings? = nil, remove: Bool = false) {
    self.machine = machine
    self.process = process
    self.remove = remove
  }

  package init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    machine = try keys.decode(MachineSettings.self, forKey: .machine)
    try keys.read(.created, into: &created)
    try keys.read(.process, into: &process)
    try keys.read(.remove, into: &remove)
  }

  /// nil where the file is missing or damaged.
  package init?(_ record: MachineRecord) {
    guard let bytes = record.read(Self.file), let value: Self = StoredJSON.decode(bytes) else { return nil }
    self = value
  }

  package var json: [UInt8] { StoredJSON.encode(self) }
}

/// `state.json`: how a machine fares; written by whichever process looks after it.
package struct MachineState: Codable, Equatable, Sendable {
  package static let file = "state.json"

  /// The process that looks after the machine.
  package var supervisor: Int32?
  package var monitor: Int32?
  package var kernel: String?
  package var started: Date?
  /// Whether the guest has said that it is ready.
  package var isReady = false
  /// Of a command that is looked after.
  package var health: Health?
  package var finished: Date?
  /// The command's, or 125 if the machine failed.
  package var exitStatus: Int32?
  /// Why the machine failed, on one line.
  package var error: String?

  package init() {}

  package init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.read(.supervisor, into: &supervisor)
    try keys.read(.monitor, into: &monitor)
    try keys.read(.kernel, into: &kernel)
    try keys.read(.started, into: &started)
    try keys.read(.isReady, into: &isReady)
    try keys.read(.health, into: &health)
    try keys.read(.finished, into: &finished)
    try keys.read(.exitStatus, into: &exitStatus)
    try keys.read(.error, into: &error)
  }

  package init?(_ record: MachineRecord) {
    guard let bytes = record.read(Self.file), let value: Self = StoredJSON.decode(bytes) else { return nil }
    self = value
  }

  /// Nobody looks after the machine any more.
  package mutating func end(exitStatus: Int32, error: String? = nil) {
    supervisor = nil
    monitor = nil
    finished = Date()
    self.exitStatus = exitStatus
    self.error = error
  }

  package func write(to record: MachineRecord) throws(NovmError) {
    do { try record.write(StoredJSON.encode(self), to: Self.file) } catch { throw .store(error) }
  }
}

enum StoredJSON {
  static func encode(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    // Strings, numbers and dates of ours: there is nothing in them that JSON cannot say.
    return Array((try? encoder.encode(value)) ?? Data())
  }

  private static let decoder: JSONDecoder = {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    return decoder
  }()

  static func decode<Value: Decodable>(_ bytes: [UInt8]) -> Value? {
    try? decoder.decode(Value.self, from: Data(bytes))
  }
}

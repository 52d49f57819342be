import Store

/// What a list shows of a machine. It is read from the machine's files without all that a list does not show, since there
/// may be a thousand machines.
package struct MachineOutline {
  package let identifier: String
  package let name: String
  package let status: MachineStatus
  /// When it was made: RFC 3339 in UTC, so that the order of texts is that of times.
  package let created: String
  /// The one that it booted last, or is to boot.
  package let kernel: String?
  package let command: [String]
  /// What of the host leads into it, as `--publish` has it.
  package let published: [String]
  /// `KEY=VALUE`.
  package let labels: [String]
  /// Of one that runs, if it is looked at.
  package let health: Health.Status?
  /// What it was given.
  package let memory: MemorySize?

  package init(_ record: MachineRecord) {
    let definition: Definition? = Self.decode(record, MachineDefinition.file)
    let state: State? = Self.decode(record, MachineState.file)
    identifier = record.identifier
    name = record.name
    status = MachineStatus(record, state.map(MachineStatus.Facts.init))
    created = definition?.created ?? "1970-01-01T00:00:00Z"
    kernel = state?.kernel ?? definition?.machine?.kernel
    command = definition?.process?.command ?? []
    published = definition?.machine?.publish ?? []
    labels = definition?.machine?.label ?? []
    health = status.isRunning ? state?.health?.status : nil
    // Before there was another default it need not be written down.
    memory = definition?.machine?.memory.map { MemorySize($0) } ?? MemorySize.modest
  }

  /// The status as people see it, with how the command fares.
  package var statusText: String { status.text + (health.map { " (\($0.rawValue))" } ?? "") }

  private static func decode<Value: Decodable>(_ record: MachineRecord, _ file: String) -> Value? {
    record.read(file).flatMap { StoredJSON.decode($0) }
  }

  /// Of `machine.json`.
  private struct Definition: Decodable {
    struct Machine: Decodable {
      var kernel: String?
      var publish: [String]?
      var label: [String]?
      var memory: String?
    }
    struct Process: Decodable { var command: [String]? }

    var created: String?
    var machine: Machine?
    var process: Process?
  }

  /// Of `state.json`.
  fileprivate struct State: Decodable {
    var kernel: String?
    var isReady: Bool?
    var health: Health?
    var finished: String?
    var exitStatus: Int32?
    var error: String?
  }
}

extension MachineStatus.Facts {
  fileprivate init(_ state: MachineOutline.State) {
    self.init(
      isReady: state.isReady ?? false, isFinished: state.finished != nil, exitStatus: state.exitStatus,
      error: state.error)
  }
}

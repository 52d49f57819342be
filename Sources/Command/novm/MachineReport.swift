import FoundationEssentials
import NovmKit
import Store

/// All that is known of a machine: what `inspect` and `ls --json` tell.
struct MachineReport: Encodable {
  var id: String
  var name: String
  var status: String
  var exitStatus: Int32?
  var error: String?
  var created: Date
  var started: Date?
  var finished: Date?
  var kernel: String?
  /// Of the process that looks after it, and of its monitor.
  var supervisor: Int32?
  var monitor: Int32?
  var directory: String
  var vsock: String?
  /// How the command fares, if that is looked at.
  var health: Health?
  var remove: Bool
  var machine: MachineSettings?
  var process: CommandSettings?

  init(_ record: MachineRecord) {
    let definition = MachineDefinition(record)
    let state = MachineState(record)
    let status = MachineStatus(record, state)
    id = record.identifier
    name = record.name
    self.status = status.name
    exitStatus = state?.exitStatus
    error = state?.error
    created = definition?.created ?? Date(timeIntervalSince1970: 0)
    started = state?.started
    finished = state?.finished
    kernel = state?.kernel ?? definition?.machine.kernel
    supervisor = record.isAlive ? state?.supervisor : nil
    monitor = record.isAlive ? state?.monitor : nil
    directory = record.path
    vsock = record.isAlive ? record.runtime.map { "\($0)/vsock" } : nil
    health = status.isRunning ? state?.health : nil
    remove = definition?.remove ?? false
    machine = definition?.machine
    process = definition?.process
  }
}

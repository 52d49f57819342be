import FoundationEssentials
import Glibc
import Store

/// Keeps `state.json` while a machine lives: by the process that looks after it.
final class MachineLife {
  private let record: MachineRecord
  private var state = MachineState()

  init(_ directory: MachineDirectory) {
    record = directory.record
    state.supervisor = getpid()
  }

  func began(_ machine: RunningMachine, _ kernel: KernelFiles) throws(NovmError) {
    state.monitor = machine.process.identifier
    state.kernel = kernel.name
    state.started = Date()
    try state.write(to: record)
  }

  func isReady(_ machine: RunningMachine) throws(NovmError) {
    state.isReady = true
    // One whose template was of no use has another by now.
    state.monitor = machine.process.identifier
    try state.write(to: record)
  }

  func fares(_ health: Health) throws(NovmError) {
    state.health = health
    try state.write(to: record)
  }

  /// - Parameter result: the command's status, or why there is none.
  func ended(_ result: Result<Int32, NovmError>) throws(NovmError) {
    switch result {
    case .success(let status): state.end(exitStatus: status)
    case .failure(let error): state.end(exitStatus: error.exitStatus, error: ByteString.printable(error.message))
    }
    try state.write(to: record)
  }
}

import Changes
import Host
import Store

/// What a kept machine wrote, as it is told, applied and discarded.
package struct ChangedMachine {
  package let record: MachineRecord
  package let trees: MachineTrees
  private let machines: StoreMachines

  package init(_ record: MachineRecord, of machines: StoreMachines) throws(NovmError) {
    self.record = record
    self.machines = machines
    // A kernel that is gone leaves its modules out of the comparison, no more.
    var kernel: KernelFiles?
    if let definition = MachineDefinition(record) {
      let request = try MachineRequest(definition.machine, directory: Array("/".utf8))
      kernel = try? machines.kernel(for: request, makes: false)
    }
    trees = try MachineTrees(record, kernel: kernel, packs: machines.packs)
  }

  /// Removes what a machine wrote that does not run, and keeps the machine.
  package func discard() throws(NovmError) {
    do throws(StoreError) {
      let directory = try machines.store.open(record)
      try directory.discardWrites()
      try directory.renewBaseline()
    } catch {
      throw .store(error)
    }
  }

  /// Applies changes to a machine that does not run. If they are all that there were, what the machine wrote is discarded.
  ///
  /// - Parameter progress: called with each change before it is applied.
  package func apply(
    _ changes: ChangeSet, overwriting: Bool, isAll: Bool, progress: (Change) -> Void = { _ in }
  ) throws(NovmError) {
    let directory = try machines.open(record)
    guard let baseline = record.baseline else { throw .machineDefinition("\(record.path)/lock") }
    try trees.apply(changes, since: baseline, overwriting: overwriting, progress: progress)
    do throws(StoreError) {
      if isAll { try directory.discardWrites() }
      try directory.renewBaseline()
    } catch {
      throw .store(error)
    }
  }
}

import ArgumentParser
import Glibc
import Host
import NovmKit
import Store

/// The process in the background that looks after a machine: started by `create`, `start` and `run --detach`.
struct SuperviseCommand: ParsableCommand {
  static let name = StoreMachines.superviseCommand
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Look after a machine (for novm's own use).", shouldDisplay: false)

  @Argument var identifier: String
  /// The machine's lock, already taken.
  @Argument var lock: Int32
  /// Where to say how the start went.
  @Argument var report: Int32
  /// The program that the machine is to end with, if there is one.
  @Argument var owner: Int32?

  func run() throws {
    let reporter = MachineLauncher.Reporter(descriptor: report)
    // So that no directory is kept from being unmounted.
    _ = chdir("/")
    do throws(NovmError) {
      let record: MachineRecord
      let directory: MachineDirectory
      do throws(StoreError) {
        record = try Machines.store.find(identifier)
        directory = try MachineDirectory(adopting: record, lock: FileDescriptor(owning: lock))
      } catch {
        throw .store(error)
      }
      guard let definition = MachineDefinition(record) else {
        throw .machineDefinition("\(record.path)/\(MachineDefinition.file)")
      }
      let supervisor = MachineSupervisor(
        directory, definition, owner: owner, logger: CommandLog.logger(verbose: false))
      supervisor.templates = try Machines.templates
      try supervisor.run(
        volumes: Surroundings.paths.volumes, packs: PackCommand.store, novmm: Surroundings.programs.novmm,
        kernel: Machines.kernel, started: reporter.started)
    } catch {
      reporter.failed(error)
      throw error
    }
  }
}

import Glibc
import KernelBundle
import Packs
import Store

/// The machines of a store, as those see and handle them who are none of their processes.
package struct StoreMachines: Sendable {
  package let paths: StorePaths
  package let programs: InstalledPrograms
  /// The program that looks after machines in the background: `novm`.
  package let novm: String
  /// The program that this is, if it is not novm.
  package var host: HostProgram?

  package init(paths: StorePaths, programs: InstalledPrograms, novm: String, host: HostProgram? = nil) {
    self.paths = paths
    self.programs = programs
    self.novm = novm
    self.host = host
  }

  package var store: MachineStore { MachineStore(directory: paths.machines, runtime: paths.runtime) }
  package var packs: PackStore { PackStore(directory: paths.packs) }
  package var kernels: KernelStore { KernelStore(directory: paths.kernels) }

  // MARK: Finding

  /// The machine of this name or identifier, or beginning of one; what dead ones left behind is removed first.
  package func find(_ reference: String) throws(NovmError) -> MachineRecord {
    do throws(StoreError) {
      try store.removeStale()
      return try store.find(reference)
    } catch {
      throw .store(error)
    }
  }

  package func list() throws(NovmError) -> [MachineRecord] {
    do throws(StoreError) {
      try store.removeStale()
      return try store.list()
    } catch {
      throw .store(error)
    }
  }

  /// The socket that stands for the vsock of a guest that runs.
  package func vsock(of record: MachineRecord) throws(NovmError) -> String {
    guard record.isAlive, let runtime = record.runtime else { throw .notRunning(record.name) }
    if MonitorControl(record)?.isPaused == true { throw .paused(record.name) }
    return "\(runtime)/vsock"
  }

  /// - Parameters:
  ///   - makes: as of ``MachineRequest/Kernel/find(in:noguest:parts:makes:progress:)``.
  ///   - progress: called as a kernel is made ready that is booted from where it was built.
  package func kernel(
    for request: MachineRequest, makes: Bool = true, progress: @escaping (ImportProgress) -> Void = { _ in }
  ) throws(NovmError) -> KernelFiles {
    var files = try request.kernel.find(
      in: kernels, noguest: programs.noguest, parts: request.initramfsParts, makes: makes, progress: progress)
    if request.nodes != nil, !files.findsDevicesByACPI { throw .nodesWithoutACPI(files.release) }
    if let source = request.debugInformation { files.debugInformation = try source.information(of: files, request) }
    return files
  }

  // MARK: Making and starting

  /// Makes a machine that does not run yet; it is locked for as long as what is returned lives.
  ///
  /// - Parameters:
  ///   - request: what the definition asks for, checked.
  ///   - isKept: whether it stays though nobody starts it.
  package func make(
    _ name: String?, _ definition: MachineDefinition, _ request: MachineRequest, isKept: Bool
  ) throws(NovmError) -> MachineDirectory {
    // What can be told at once is told before there is a machine.
    _ = try kernel(for: request)
    for map in request.packs {
      do { _ = try packs.pack(named: map.name) } catch { throw .pack(error) }
    }
    try programs.require()
    do throws(StoreError) {
      try store.removeStale()
      return try store.create(name: name, definition: definition.json, isKept: isKept)
    } catch {
      throw .store(error)
    }
  }

  /// Locks a machine that does not run.
  package func open(_ record: MachineRecord) throws(NovmError) -> MachineDirectory {
    do { return try store.open(record) } catch { throw .store(error) }
  }

  /// Starts a machine in the background, as of ``MachineLauncher``.
  package func start(_ directory: consuming MachineDirectory, until deadline: MonotonicTime? = nil) throws(NovmError) {
    let words = [Self.superviseCommand, directory.identifier]
    try MachineLauncher.start(directory, novm: novm, arguments: words, host: host, until: deadline)
  }

  /// The command of novm's that looks after a machine.
  package static let superviseCommand = "supervise"

  // MARK: Ending

  /// Ends a machine and waits for it.
  ///
  /// - Parameter grace: seconds that the guest has for it.
  package func stop(_ record: MachineRecord, grace: Double) throws(NovmError) {
    if let supervisor = try supervisor(of: record) {
      // One that is paused has no way to end by itself.
      _ = try? MonitorControl(record)?.resume()
      supervisor.send(SIGTERM)
      if !supervisor.awaitEnd(seconds: grace) {
        supervisor.send(SIGTERM)
        // As long as it lets the guest write back, and some.
        if !supervisor.awaitEnd(seconds: 25) { supervisor.send(SIGKILL) }
      }
    }
    try awaitEnd(record)
  }

  /// Ends a machine as it stands.
  package func kill(_ record: MachineRecord) throws(NovmError) {
    // Before it is gone, if it removes itself.
    let definition = MachineDefinition(record)
    if let supervisor = try supervisor(of: record) { supervisor.send(SIGKILL) }
    try awaitEnd(record)
    // Nobody was left to do it.
    PortForwards.removeAbandoned(definition?.machine.publish.flatMap { PublishedPort.ports($0) ?? [] } ?? [])
    // One that had ended before keeps how.
    guard !(definition?.remove ?? true), var state = MachineState(record), state.finished == nil else { return }
    state.end(exitStatus: 128 + SIGKILL)
    try state.write(to: record)
  }

  /// Whether somebody looks after a machine. Whoever else has it, as `commit` does to read what it wrote, is waited for.
  package func isLookedAfter(_ record: MachineRecord) throws(NovmError) -> Bool {
    guard let supervisor = try supervisor(of: record) else { return false }
    _ = consume supervisor
    return true
  }

  /// The process that looks after a machine; waits for it to say who it is if the machine is on its way.
  ///
  /// - Returns: nil if the machine does not run.
  private func supervisor(of record: MachineRecord) throws(NovmError) -> SupervisorProcess? {
    do throws(StoreError) {
      while true {
        if let found = SupervisorProcess.of(record) { return found }
        // It writes it down once it has a monitor; one that was killed leaves its monitor alive for moments.
        if try !store.isAlive(record) { return nil }
        usleep(5000)
      }
    } catch {
      throw .store(error)
    }
  }

  /// Removes a machine that does not run.
  package func remove(_ record: MachineRecord) throws(NovmError) {
    do { try store.open(record).remove() } catch { throw .store(error) }
  }

  /// Waits until the last of a machine's processes has ended.
  ///
  /// - Returns: whether that came about before the deadline.
  @discardableResult
  package func awaitEnd(_ record: MachineRecord, until deadline: MonotonicTime? = nil) throws(NovmError) -> Bool {
    if let supervisor = SupervisorProcess.of(record) {
      let seconds = deadline.map { Double($0.millisecondsFromNow) / 1000 } ?? .infinity
      if !supervisor.awaitEnd(seconds: seconds) { return false }
    }
    do throws(StoreError) {
      // The monitor follows within moments.
      while try store.isAlive(record) {
        if let deadline, deadline <= .now { return false }
        usleep(5000)
      }
    } catch {
      throw .store(error)
    }
    return true
  }
}

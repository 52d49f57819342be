import ArgumentParser
import Glibc
import KernelBundle
import NovmKit
import Store

/// The machines of the store, as commands need them.
enum Machines {
  static var store: MachineStore {
    let paths = Surroundings.paths
    return MachineStore(directory: paths.machines, runtime: paths.runtime)
  }

  /// The machine of this name or identifier, or beginning of one; what dead ones left behind is removed first.
  static func find(_ reference: String) throws(NovmError) -> MachineRecord {
    do throws(StoreError) {
      let store = store
      try store.removeStale()
      return try store.find(reference)
    } catch {
      throw .store(error)
    }
  }

  /// A machine that runs, and the socket that stands for its guest's vsock.
  static func running(_ reference: String) throws(NovmError) -> (record: MachineRecord, vsock: String) {
    let record = try find(reference)
    guard record.isAlive, let runtime = record.runtime else { throw .notRunning(record.name) }
    if MonitorControl(record)?.isPaused == true { throw .paused(record.name) }
    return (record, "\(runtime)/vsock")
  }

  static func list() throws(NovmError) -> [MachineRecord] {
    do throws(StoreError) {
      let store = store
      try store.removeStale()
      return try store.list()
    } catch {
      throw .store(error)
    }
  }

  static func kernel(for request: MachineRequest) throws(NovmError) -> KernelFiles {
    let line = ProgressLine()
    defer { line.clear() }
    return try request.kernel.find(
      in: KernelStore(directory: Surroundings.paths.kernels), noguest: Surroundings.programs.noguest,
      parts: request.initramfsParts
    ) { line.show($0.text) }
  }

  /// Makes a machine, starts it in the background, and prints its identifier.
  static func create(_ name: String?, _ definition: MachineDefinition, verbose: Bool) throws {
    // What can be told at once is told before there is a machine.
    let request = try MachineRequest.checked(definition.machine)
    _ = try kernel(for: request)
    for map in request.packs { _ = try PackCommand.store.pack(named: map.name) }
    try Surroundings.programs.require()
    let directory: MachineDirectory
    do throws(StoreError) {
      let store = store
      try store.removeStale()
      directory = try store.create(name: name, definition: definition.json, isKept: !definition.remove)
    } catch {
      throw NovmError.store(error)
    }
    let identifier = directory.identifier
    try launch(directory)
    announce(request)
    print(identifier)
  }

  /// Starts a machine that is there and does not run.
  static func start(_ record: MachineRecord) throws(NovmError) {
    let directory: MachineDirectory
    do { directory = try store.open(record) } catch { throw .store(error) }
    try launch(directory)
    if let settings = MachineDefinition(record)?.machine, let request = try? MachineRequest(settings, directory: []) {
      announce(request)
    }
  }

  /// Tells which of the host's ports lead into a machine.
  private static func announce(_ request: MachineRequest) {
    let logger = CommandLog.logger(verbose: false)
    for port in request.publishedPorts { logger.notice("\(port.announcement)") }
  }

  private static func launch(_ directory: MachineDirectory) throws(NovmError) {
    try MachineLauncher.start(directory, novm: ownPath, arguments: [SuperviseCommand.name, directory.identifier])
  }

  /// Of this program.
  static var ownPath: String {
    get throws(NovmError) {
      guard let program = unsafe realpath("/proc/self/exe", nil) else { throw .call("realpath", .current) }
      defer { free(program) }
      return String(cString: program)
    }
  }

  /// Ends a machine and waits for it.
  ///
  /// - Parameter grace: seconds that the guest has for it.
  static func stop(_ record: MachineRecord, grace: Double) throws(NovmError) {
    if let supervisor = SupervisorProcess.of(record) {
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
  static func kill(_ record: MachineRecord) throws(NovmError) {
    // Before it is gone, if it removes itself.
    let definition = MachineDefinition(record)
    SupervisorProcess.of(record)?.send(SIGKILL)
    try awaitEnd(record)
    // Nobody was left to do it.
    PortForwards.removeAbandoned(definition?.machine.publish.flatMap { PublishedPort.ports($0) ?? [] } ?? [])
    guard !(definition?.remove ?? true), var state = MachineState(record) else { return }
    state.end(exitStatus: 128 + SIGKILL)
    try state.write(to: record)
  }

  /// Removes a machine that does not run.
  static func remove(_ record: MachineRecord) throws(NovmError) {
    do { try store.open(record).remove() } catch { throw .store(error) }
  }

  /// Waits until the last of a machine's processes has ended.
  static func awaitEnd(_ record: MachineRecord) throws(NovmError) {
    if let supervisor = SupervisorProcess.of(record) { _ = supervisor.awaitEnd() }
    // The monitor follows within moments.
    while try list().contains(where: { $0.identifier == record.identifier && $0.isAlive }) { usleep(20_000) }
  }
}

extension CompletionKind {
  /// Names of machines.
  static var machines: CompletionKind {
    .custom { _, _, _ in (try? Machines.list().map(\.name).sorted()) ?? [] }
  }
}

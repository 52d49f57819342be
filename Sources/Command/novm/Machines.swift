import ArgumentParser
import Glibc
import KernelBundle
import NovmKit
import Store

/// The machines of the store, as commands need them: ``StoreMachines`` of what this process finds around it.
enum Machines {
  static var all: StoreMachines {
    StoreMachines(paths: Surroundings.paths, programs: Surroundings.programs, novm: ownPath)
  }

  /// What machines may begin with of which nobody says it.
  static var templates: Templates {
    get throws(NovmError) {
      let choice = try TemplateChoice.of(variable: Surroundings.environment["NOVM_TEMPLATE"])
      return Templates(choice, store: templateStore, novm: ownPath)
    }
  }

  static var templateStore: TemplateStore { TemplateStore(directory: Surroundings.paths.templates) }

  static var store: MachineStore { all.store }

  /// The machine of this name or identifier, or beginning of one; what dead ones left behind is removed first.
  static func find(_ reference: String) throws(NovmError) -> MachineRecord { try all.find(reference) }

  /// A machine that runs, and the socket that stands for its guest's vsock.
  static func running(_ reference: String) throws(NovmError) -> (record: MachineRecord, vsock: String) {
    let record = try find(reference)
    return (record, try all.vsock(of: record))
  }

  static func list() throws(NovmError) -> [MachineRecord] { try all.list() }

  static func kernel(for request: MachineRequest) throws(NovmError) -> KernelFiles {
    let line = ProgressLine()
    defer { line.clear() }
    return try all.kernel(for: request) { line.show($0.text) }
  }

  /// Makes a machine, starts it in the background, and prints its identifier.
  static func create(_ name: String?, _ definition: MachineDefinition, verbose: Bool) throws {
    // Its supervisor asks, too, where the word would come late.
    _ = try templates
    let request = try MachineRequest.checked(definition.machine)
    let directory = try all.make(name, definition, request, isKept: !definition.remove)
    let identifier = directory.identifier
    try all.start(directory)
    announce(request)
    print(identifier)
  }

  /// Starts a machine that is there and does not run.
  static func start(_ record: MachineRecord) throws(NovmError) {
    _ = try templates
    try all.start(all.open(record))
    if let settings = MachineDefinition(record)?.machine, let request = try? MachineRequest(settings, directory: []) {
      announce(request)
    }
  }

  /// Tells which of the host's ports lead into a machine.
  private static func announce(_ request: MachineRequest) {
    let logger = CommandLog.logger(verbose: false)
    for port in request.publishedPorts { logger.notice("\(port.announcement)") }
  }

  /// Of this program.
  static var ownPath: String {
    let link = "/proc/self/exe"
    guard let program = unsafe realpath(link, nil) else { return link }
    defer { free(program) }
    return String(cString: program)
  }

  /// As of ``StoreMachines/stop(_:grace:)``.
  static func stop(_ record: MachineRecord, grace: Double) throws(NovmError) { try all.stop(record, grace: grace) }

  static func kill(_ record: MachineRecord) throws(NovmError) { try all.kill(record) }

  static func remove(_ record: MachineRecord) throws(NovmError) { try all.remove(record) }

  static func awaitEnd(_ record: MachineRecord) throws(NovmError) { try all.awaitEnd(record) }
}

extension CompletionKind {
  /// Names of machines.
  static var machines: CompletionKind {
    .custom { _, _, _ in (try? Machines.list().map(\.name).sorted()) ?? [] }
  }
}

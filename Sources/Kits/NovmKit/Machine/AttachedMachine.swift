import AgentProtocol
import Glibc
import Host
import KernelBundle
import Logging
import Packs
import Store

/// One machine for one command, with the caller's terminal, input, output and signals: what `novm run` is.
package final class AttachedMachine {
  /// What is kept of the machine.
  package struct Record {
    package var name: String?
    package var definition: MachineDefinition

    package init(name: String?, definition: MachineDefinition) {
      self.name = name
      self.definition = definition
    }
  }

  /// The machine's, once it is made.
  package private(set) var identifier: String?

  /// As of ``AttachedCommand/timeout``.
  package var timeout: Double? {
    get { command.timeout }
    set { command.timeout = newValue }
  }

  /// What it may begin with; nil to boot.
  package var templates: Templates?
  private var wantedTemplate: TemplateKind?

  private let request: MachineRequest
  private let kernel: KernelFiles
  private let record: Record
  private let command: AttachedCommand
  private let attachment: AttachedCommand.Attachment
  private let timings: Timings
  private let logger: Logger
  private let loop = PollLoop()

  package init(
    _ request: MachineRequest, kernel: KernelFiles, command: Command, record: Record,
    attachment: AttachedCommand.Attachment = AttachedCommand.Attachment(), timings: Timings, logger: Logger
  ) {
    self.request = request
    self.kernel = kernel
    self.record = record
    self.command = AttachedCommand(command, attachment: attachment, loop: loop)
    self.attachment = attachment
    self.timings = timings
    self.logger = logger
  }

  /// Makes a machine, runs the command in it, and leaves nothing of it behind unless it is to be kept.
  ///
  /// - Returns: the command's exit status, 128 and its number for a signal.
  ///
  /// - Parameters:
  ///   - volumes: the directory of all volumes.
  ///   - packs: all packs.
  package func run(
    store: MachineStore, volumes: String, packs: PackStore, novmm: String
  ) throws(NovmError) -> Int32 {
    // First, so that no signal ends novm with something to remove.
    let signals = try SignalInbox(AttachedCommand.signals) { [command] signal throws(NovmError) in
      try command.received(signal)
    }
    loop.add(signals)
    // Whoever asks something afterwards is interrupted as usual.
    defer { loop.remove(signals) }
    let directory: MachineDirectory
    let named: [Volume?]
    do throws(StoreError) {
      for stale in try store.removeStale() { logger.debug("removed what machine \(stale) left behind") }
      named = try request.namedVolumes(in: volumes)
      directory = try store.create(
        name: record.name, definition: record.definition.json, isKept: !record.definition.remove)
    } catch {
      throw .store(error)
    }
    identifier = directory.identifier
    let life = MachineLife(directory)
    var result: Result<Int32, NovmError>
    do throws(NovmError) {
      let volumes = try request.allVolumes(named, in: directory)
      result = .success(try run(in: directory, volumes, packs, novmm, life))
    } catch {
      result = .failure(error)
    }
    do throws(NovmError) {
      if record.definition.remove { try directory.discard() } else { try life.ended(result) }
    } catch {
      if case .success = result { result = .failure(error) }
    }
    timings.mark("end")
    if let wantedTemplate { templates?.make(wantedTemplate) }
    return try result.get()
  }

  private func run(
    in directory: MachineDirectory, _ volumes: [Volume], _ packs: PackStore, _ novmm: String, _ life: MachineLife
  ) throws(NovmError) -> Int32 {
    let screen = request.serialLog ? OutputStream(attachment.error) : nil
    if let screen { loop.add(screen) }
    let isKept = !record.definition.remove
    let log = try KernelLog(
      path: isKept ? directory.console : nil, screen: screen, isTerminal: isatty(attachment.error) == 1)
    let machine = try RunningMachine(
      request, kernel: kernel, in: directory, volumes: volumes, packs: packs, novmm: novmm, log: log, isKept: isKept,
      templates: templates, loop: loop, timings: timings, logger: logger)
    do throws(NovmError) {
      try life.began(machine, kernel)
      try machine.awaitReady()
      wantedTemplate = machine.wantedTemplate
      try life.isReady(machine)
      for port in request.publishedPorts { logger.notice("\(port.announcement)") }
      if isKept, !request.serialLog { machine.recordBoot() }
      let health = HealthWatch(record.definition.process, on: machine, loop: loop, life)
      defer { health?.leave() }
      guard let status = try command.run(on: machine.connect(), timings: timings) else { try machine.explainLoss() }
      health?.leave()
      logger.debug("the command ended with status \(status)")
      let outputFault = command.outputFault
      try machine.shutDown()
      if let kill = log.outOfMemory {
        let (size, memory) = ("\(kill.size >> 20) MiB", request.memory)
        logger.warning(
          """
          the machine ran out of memory and ended \(kill.program), which had \(size) of its \(memory); give it more with \
          --memory
          """)
      }
      if let outputFault { throw NovmError.output(outputFault) }
      return status
    } catch {
      // The guest may still hold what it wrote to a directory of the user's.
      command.leave()
      if command.wasSent, machine.process.end == nil { try? machine.shutDown() }
      machine.process.kill()
      throw error
    }
  }
}

extension MachineDirectory {
  func discard() throws(NovmError) {
    do { try remove() } catch { throw .store(error) }
  }
}

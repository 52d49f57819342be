import AgentProtocol
import Glibc
import Host
import KernelBundle
import Logging
import Packs
import Store

/// Looks after one machine in the background: starts it, runs its command with the output going to the machine's log, and
/// writes down how it ended. One process, which nothing but signals talks to:
///
/// | signal | |
/// |---|---|
/// | SIGTERM | ends the command with its stop signal, or powers the machine off if that has none; a second one ends the machine |
/// | SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2 | is passed on to the command |
/// | SIGKILL | ends the machine as it stands |
///
/// A machine of a program that embeds novm also ends with that, as by two SIGTERM (``OwnerWatch``).
package final class MachineSupervisor {
  /// What the machine may begin with; nil to boot.
  package var templates: Templates?
  private let definition: MachineDefinition
  private let directory: MachineDirectory
  private let logger: Logger
  private let loop = PollLoop()
  private let life: MachineLife
  private var session: Session?
  private var stops = 0
  private var isReady = false

  /// - Parameter owner: a descriptor of the program whose machine this is (pidfd_open(2)); nil for a machine that goes on without.
  package init(_ directory: MachineDirectory, _ definition: MachineDefinition, owner: Int32? = nil, logger: Logger) {
    self.directory = directory
    self.definition = definition
    self.logger = logger
    life = MachineLife(directory)
    guard let owner else { return }
    loop.add(OwnerWatch(FileDescriptor(owning: owner)) { [unowned self] () throws(NovmError) in try ownerEnded() })
  }

  /// Returns once the machine has ended.
  ///
  /// - Parameters:
  ///   - volumes: the directory of all volumes.
  ///   - packs: all packs.
  ///   - kernel: finds the kernel that the machine boots.
  ///   - started: called once when the machine runs, and so does its command if it has one.
  /// - Throws: what kept the machine from starting, or ended it.
  package func run(
    volumes: String, packs: PackStore, novmm: String, kernel: (MachineRequest) throws(NovmError) -> KernelFiles,
    started: () -> Void
  ) throws(NovmError) {
    let signals = try SignalInbox(Self.signals) { [unowned self] signal throws(NovmError) in try received(signal) }
    loop.add(signals)
    var result: Result<Int32, NovmError>
    do throws(NovmError) {
      let request = try MachineRequest(definition.machine, directory: [UInt8(ascii: "/")])
      try request.validate(host: .current)
      let opened = try request.allVolumes(try Self.named(request, volumes), in: directory)
      result = .success(try run(request, opened, packs, try kernel(request), novmm, started))
    } catch {
      result = .failure(error)
    }
    do throws(NovmError) {
      if definition.remove { try directory.discard() } else { try life.ended(result) }
    } catch {
      if case .success = result { result = .failure(error) }
    }
    _ = try result.get()
  }

  private static func named(_ request: MachineRequest, _ directory: String) throws(NovmError) -> [Volume?] {
    do { return try request.namedVolumes(in: directory) } catch { throw .store(error) }
  }

  private func run(
    _ request: MachineRequest, _ volumes: [Volume], _ packs: PackStore, _ kernel: KernelFiles, _ novmm: String,
    _ started: () -> Void
  ) throws(NovmError) -> Int32 {
    let log = try MachineLog(directory.log)
    let console = try KernelLog(path: directory.console, screen: nil)
    let machine = try RunningMachine(
      request, kernel: kernel, in: directory, volumes: volumes, packs: packs, novmm: novmm, log: console,
      isKept: !definition.remove, templates: templates, loop: loop, timings: Timings(), logger: logger)
    do throws(NovmError) {
      try life.began(machine, kernel)
      try machine.awaitReady()
      func ready() {
        started()
        if let kind = machine.wantedTemplate { templates?.make(kind) }
      }
      if !request.serialLog { machine.recordBoot() }
      var status: Int32 = 0
      if let process = definition.process {
        status = try run(process.agentCommand, in: machine, log, ready)
        try machine.shutDown()
      } else {
        isReady = true
        try life.isReady(machine)
        ready()
        try loop.run { stops > 0 || machine.process.end != nil }
        if let end = machine.process.end {
          if end.reason != .poweredOff { try machine.explainEnd() }
        } else {
          try machine.powerOff { stops > 1 }
        }
      }
      return status
    } catch {
      if let session {
        session.leave(loop)
        if machine.process.end == nil { try? machine.shutDown() }
      }
      machine.process.kill()
      throw error
    }
  }

  private func run(
    _ command: Command, in machine: RunningMachine, _ log: MachineLog, _ started: () -> Void
  ) throws(NovmError) -> Int32 {
    let attach = try AttachServer(
      at: directory.attach, loop: loop, takesInput: !command.options.isDisjoint(with: [.terminal, .input]))
    let session = try Session(
      command, on: machine.connect(), loop: loop, input: attach.input,
      output: attach.tee(.stdout, log.stream(.output)), error: attach.tee(.stderr, log.stream(.error)))
    self.session = session
    attach.serve(session)
    try loop.run { session.isStarted || session.result != nil || stops > 1 }
    if session.isStarted {
      isReady = true
      try life.isReady(machine)
      started()
    }
    let health = session.isStarted ? HealthWatch(definition.process, on: machine, loop: loop, life) : nil
    defer { health?.leave() }
    let limit = definition.process?.timeout.map { CommandTimeout(session, seconds: $0) }
    if let limit { loop.add(limit) }
    try loop.run { session.result != nil || stops > 1 }
    health?.leave()
    session.leave(loop)
    log.end()
    try attach.finish(session.result)
    switch session.result {
    case nil: return 128 + SIGKILL
    case .lost?: try machine.explainLoss()
    case .failed(let failure)?: throw .commandFailed(command: command.arguments.first ?? [], failure)
    case let end?: return limit.map { $0.status(end.exitStatus) ?? 125 } ?? end.exitStatus ?? 125
    }
  }

  /// What ends the command.
  private var stopSignal: Int32 { definition.process?.stopSignal.flatMap { SignalName.number($0) } ?? SIGTERM }

  private static let signals = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE]

  /// Nobody waits for a start any more; and what runs has no time to end by itself.
  private func ownerEnded() throws(NovmError) {
    if !isReady { throw .interrupted(SIGTERM) }
    stops += 2
  }

  private func received(_ signal: Int32) throws(NovmError) {
    if signal == SIGPIPE { return }
    if signal == SIGTERM { stops += 1 }
    if let session, session.result == nil {
      try session.signal(signal == SIGTERM ? stopSignal : signal)
    } else if signal == SIGTERM, session == nil, definition.process != nil {
      // There is no command to end yet.
      throw .interrupted(signal)
    }
  }
}

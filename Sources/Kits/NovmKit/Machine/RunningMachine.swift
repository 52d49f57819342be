import AgentProtocol
import Glibc
import Host
import KernelBundle
import Logging
import Packs
import Store

/// A machine from the start of its monitor to the end of it. Whoever owns one looks after the machine, which cannot outlive
/// it.
final class RunningMachine {
  let directory: MachineDirectory
  private(set) var process: MachineProcess
  /// By which it is to begin, where there is one.
  private var template: TemplateStart?
  /// A kind of machine that there is no template of, or none that is any good, so that one is to be made.
  private(set) var wantedTemplate: TemplateKind?
  /// Held, so that nobody removes them.
  private let packs: [HeldPack]
  private let log: KernelLog
  private var boot: Session?
  private let network: UserNetwork?
  private let hasOwnInit: Bool
  private let forwards: PortForwards
  private let stamps: GuestStamps
  private var watched: [WatchedShare] = []
  private let hello: HelloListener
  private let marks: MachineMarks
  private let loop: PollLoop
  private let timings: Timings
  private let logger: Logger
  private let group: ControlGroup?
  private let user: OwnUser?

  /// Starts the monitor.
  ///
  /// - Parameters:
  ///   - volumes: those of the request, one each.
  ///   - packs: the store with those of the request.
  ///   - log: takes what the kernel says.
  ///   - isKept: whether the machine may start again, and is to find its devices where they were.
  ///   - templates: nil to boot in any case.
  init(
    _ request: MachineRequest, kernel: KernelFiles, in directory: MachineDirectory, volumes: [Volume], packs: PackStore,
    novmm: String, log: KernelLog, isKept: Bool, templates: Templates? = nil, loop: PollLoop, timings: Timings,
    logger: Logger
  ) throws(NovmError) {
    self.directory = directory
    self.loop = loop
    self.timings = timings
    self.logger = logger
    hasOwnInit = request.hasOwnInit
    try request.validateStore(scratch: directory.root, volumes: volumes.map(\.tree))
    let held = try HeldPack.hold(request.packs, in: packs)
    self.packs = held
    self.log = log
    hello = try HelloListener(vsock: directory.vsock, loop: loop)
    let listeners = request.publishedPorts.flatMap(\.listeners)
    let network = try Self.network(of: request, listeners)
    self.network = network
    let forwarded = listeners.filter { network?.ports.contains($0) != true }
    forwards = try PortForwards(
      forwarded, vsock: directory.vsock, toCard: request.hasCards, loop: loop, logger: logger)
    stamps = GuestStamps(vsock: directory.vsock, loop: loop)
    marks = try MachineMarks(into: timings)
    let description = request.compose(
      kernel: kernel, scratch: directory.root, volumes: volumes.map(\.tree), packs: held.map(\.pack.tree),
      userCard: network?.card, ledIn: network?.ports ?? [])
    let layout = isKept ? try DeviceLayout.kept(in: directory, for: description) : nil
    let template = try TemplateStart(templates, request, description, layout, novmm: novmm, logger)
    wantedTemplate = template?.wanted
    let places = (layout ?? template.map { _ in DeviceLayout(description) })?.arguments ?? []
    var arguments = ByteArguments()
    arguments.append("--vsock", directory.vsock)
    arguments.append("--control", directory.control)
    arguments.append("--timings", "fd:\(marks.writer)")
    var inherited = [marks.writer, directory.lockDescriptor] + volumes.map(\.lockDescriptor)
    inherited += held.map(\.lockDescriptor) + description.cards.flatMap { $0.card.descriptors }
    arguments.append("--com1", "fd:\(log.descriptor)")
    inherited.append(log.descriptor)
    let group = try request.controlGroup.map { asked throws(NovmError) in
      try ControlGroup(asked, asked.limits(of: description), name: directory.identifier)
    }
    self.group = group
    if let group {
      arguments.append("--cgroup", "fd:\(group.entrance.raw)")
      inherited.append(group.entrance.raw)
    }
    let user = try request.runAs.map { choice throws(NovmError) in try OwnUser(choice) }
    self.user = user
    if let user {
      arguments.append("--run-as", user.argument)
      inherited += user.inherited
    }
    timings.mark("spawn")
    logger.debug("starting \(novmm)")
    let further = places + arguments.values
    let start = { [inherited] (first: [[UInt8]]) throws(NovmError) in
      defer { withExtendedLifetime(volumes) {} }
      return try MachineProcess(
        program: novmm, arguments: first + further, inherited: inherited,
        seesOthers: request.confinement == .off || geteuid() != 0)
    }
    if let found = template?.found {
      process = try start(description.arguments(restoring: found.path))
      self.template = template
      template?.boot = { () throws(NovmError) in try start(description.arguments) }
    } else {
      process = try start(description.arguments)
      log.handedOver()
    }
    network?.handedOver()
    for source in [hello, marks, log] as [any PollSource] { loop.add(source) }
    attend()
    if let network { loop.add(network) }
    watch(description.shares.filter(\.isWatched))
  }

  /// Has the monitor heard.
  private func attend() {
    process.onMessage = { [logger] line in logger.debug("novmm: \(line)") }
    let networkLog = NetworkLog(directory.network)
    process.onWarning = { [logger] line in
      logger.warning("\(line)")
      if line.hasPrefix(NetworkLog.prefix) { networkLog.append(line) }
    }
    loop.add(process)
  }

  /// Tells a guest that waits which machine it is; one that does not become it in time makes room for a boot.
  private func begin(by template: TemplateStart) throws(NovmError) {
    self.template = nil
    defer { log.handedOver() }
    try loop.run(until: template.deadline) { marks.hasBegun || process.end != nil }
    if process.end == nil, marks.hasBegun {
      template.tell(directory.vsock, hello)
      try loop.run(until: template.deadline) { hello.hello != nil || template.isLost(hello) || process.end != nil }
    }
    if hello.hello != nil { return }
    wantedTemplate = try template.fails(process.end)
    loop.remove(process)
    process.kill()
    hello.leave()
    // Names of its sockets that are still there are the next one's to take.
    process = try template.boot()
    attend()
  }

  private func watch(_ shares: [TreeShare]) {
    for share in shares {
      do throws(Errno) {
        watched.append(try WatchedShare(share.map, stamps: stamps, logger: logger))
      } catch {
        let host = String(printable: share.map.host)
        logger.warning("the guest is not told what changes in \(host), which cannot be watched: \(error.description)")
      }
    }
    for source in watched { loop.add(source) }
    if !watched.isEmpty { loop.add(stamps) }
  }

  private static func network(
    of request: MachineRequest, _ listeners: [PublishedPort]
  ) throws(NovmError) -> UserNetwork? {
    guard request.hasUserNetwork else { return nil }
    guard let program = UserNetwork.find() else { throw .passtMissing }
    return try UserNetwork(
      program: program, published: listeners, hasLoopback: request.network.hasLoopback)
  }

  /// Waits until the guest takes commands.
  func awaitReady() throws(NovmError) {
    if let template { try begin(by: template) }
    try loop.run { hello.hello != nil || process.end != nil || network?.failure != nil }
    if let words = network?.failure, process.end == nil { throw .userNetwork(words) }
    if process.end != nil { try explainEnd() }
    network?.onFailure = { [logger] words in
      logger.warning("the user network: passt: \(words); the machine goes on without")
    }
    forwards.open()
    stamps.open()
    for share in watched { share.open() }
    timings.mark("ready")
    logger.debug("the guest is ready: Linux \(String(decoding: hello.hello?.kernelRelease ?? [], as: UTF8.self))")
  }

  func connect() throws(NovmError) -> AgentConnection { try AgentConnection(vsock: directory.vsock) }

  /// The command's stream has ended before the command: says why.
  func explainLoss() throws(NovmError) -> Never {
    // If the machine went, it says why.
    try loop.run(until: .after(milliseconds: 3000)) { process.end != nil }
    if process.end != nil { try explainEnd() }
    throw .agentLost
  }

  /// The machine has ended and was not to: says how.
  func explainEnd() throws(NovmError) -> Never {
    guard var end = process.end else { throw .agentLost }
    try finishLog()
    end.kernelLog = log.lastLines
    end.ranOutOfMemory = group?.ranOutOfMemory == true
    throw .machineEnded(end)
  }

  /// Takes what novmm has left in the pipe; a screen that takes nothing is not waited for.
  private func finishLog() throws(NovmError) {
    try loop.run(until: .after(milliseconds: 1000)) { log.isDone }
  }

  /// Has the guest tell what its kernel has said until now, for the log. A guest that does not is no trouble.
  func recordBoot() {
    let command = Command(arguments: [Array("kernel-log".utf8)], options: .builtIn)
    boot = try? Session(
      command, on: connect(), loop: loop, input: nil, output: log.records(), error: ErrorText())
    boot?.staysApart()
  }

  /// Has the guest power off.
  ///
  /// - Parameter isHurried: turns true when it has had its time.
  func powerOff(isHurried: () -> Bool) throws(NovmError) {
    if hasOwnInit, !isHurried(), let connection = try? connect() {
      // A tree's own init stops its services first, each in the time that it says itself.
      defer { loop.remove(connection) }
      let shutdown = try Shutdown(.powerOff, on: connection, loop: loop)
      try loop.run { isHurried() || process.end != nil }
      logger.debug(shutdown.isDone ? "the agent has gone" : "the guest takes its time")
    }
    if process.end == nil { try shutDown(hasOwnInit || isHurried() ? .end : .powerOff) }
  }

  /// Lets the guest write back what it holds, and waits for the monitor's end, but not for ever.
  func shutDown(_ mode: ShutdownMode = .end) throws(NovmError) {
    if let connection = try? connect() {
      // A second signal ends the wait by an error, and then the loop must not serve what was for `shutdown`.
      defer { loop.remove(connection) }
      let shutdown = try Shutdown(mode, on: connection, loop: loop)
      try loop.run(until: .after(milliseconds: Self.grace)) { shutdown.isDone || process.end != nil }
      logger.debug(shutdown.isDone ? "the guest has written everything back" : "the guest does not answer")
    }
    for signal in [nil, SIGTERM, SIGKILL] {
      if let signal {
        logger.debug("ending novmm with signal \(signal)")
        process.signal(signal)
      }
      // The agent goes before an init, which then unmounts by itself.
      let time = hasOwnInit && signal == nil ? 3 * Self.grace : Self.grace / 2
      if try loop.run(until: .after(milliseconds: time), { process.end != nil }) { break }
    }
    timings.mark("gone")
    try finishLog()
    try marks.ready(POLLIN)
  }

  /// How long a guest may take to write back, in milliseconds.
  private static let grace: UInt64 = 10_000
}

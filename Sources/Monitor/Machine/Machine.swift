import Boot
import Confinement
import Devices
import FileSystem
import GuestMemory
import Host
import KVM
import Virtio

/// A whole machine, from its description to its end. It knows its devices as parts, and none by name.
package final class Machine: @unchecked Sendable {
  package let memory: GuestMemory
  package let vm: VirtualMachine
  /// Where devices that never block are served, and signals arrive.
  package let loop: EventLoop

  let map: MemoryMap
  let board: Board
  private(set) var vcpus: [VCPU] = []
  private(set) var parts: [any DevicePart] = []
  /// What a state that it begins with must be of.
  let shape: MachineShape
  private let timeline: Timeline
  private var watches: [any EventHandler] = []
  private var threads: [Thread] = []
  private let powerButton: InterruptInput
  private var powerOff: PowerOffRequest?
  private let affinity: CPUAffinity?
  private let broker: SocketBroker?
  private let mode: ConfinementMode
  private let calls: ConfinementPolicy.Parts
  private var confinement: MachineConfinement?
  /// For tests of what a monitor can do that was taken over: called by each thread, once it is confined.
  package var threadBegan: (ThreadKind) -> Void = { _ in }
  /// The directories of its trees, open.
  package var roots: [FileSystemServer.Root] { parts.flatMap(\.roots) }
  private var outcome: Outcome?
  private var isWaitingToQuiesce = false
  private var whenResumed: [() -> Void] = []
  private let outcomeLock = Lock()
  private let gate: PauseGate
  let quiescence: Quiescence
  private var control: ControlSocket?

  /// Builds the machine; nothing of it runs yet. To be called before any thread is started: it takes the process's signals.
  ///
  /// - Parameters:
  ///   - start: what its memory and processors begin with.
  ///   - report: takes lines for the machine's operator, on the event loop's or a vCPU's thread.
  package init(
    _ description: MachineDescription, _ start: any MachineStart, report: @escaping (String) -> Void = { _ in }
  ) throws(MachineError) {
    timeline = Timeline(description.timings)
    timeline.mark("start")
    // The first of all: what is there by now another process has a copy of.
    broker = try description.startBroker()
    mode = description.confinement
    let description = description.confinement == .off ? description : description.detachingTrees()
    calls = description.parts(broker: broker?.process)
    shape = MachineShape(description)
    affinity = description.affinity
    try Self.check(affinity, description.processors.count)
    let signals: FileDescriptor
    do {
      signals = try Signals.capture(SignalWatch.signals)
    } catch {
      throw .host("signalfd", error)
    }
    do {
      map = try MemoryMap(size: description.memory)
    } catch {
      throw .boot(error)
    }
    // The kernel would give it, until the guest uses it.
    if let most = HostMemory.size, description.memory > most {
      throw .memoryTooLarge(bytes: description.memory, most: most)
    }
    let ram = try GuestRAM(map, description)
    memory = ram.memory
    try start.begin(description, ram, map)
    let bits: Int
    do throws(KVMError) {
      let system =
        switch description.kvm {
        case .path(let path): try KVMSystem(path: path)
        case .descriptor(let number): try KVMSystem(FileDescriptor(owning: number))
        }
      if let capability = system.missingCapabilities().first { throw KVMError.missing(capability: capability) }
      guard description.processors.count <= system.maximumVCPUs else {
        throw KVMError.vCPUs(asked: description.processors.count, most: system.maximumVCPUs)
      }
      bits = try system.addressBits()
      vm = try VirtualMachine(system)
    } catch {
      throw .kvm(error)
    }
    let end = memory.regions.last.map { $0.base + UInt64($0.count) } ?? 0
    guard end <= 1 << UInt64(bits) else { throw .beyondAddresses(bits: bits) }
    do {
      loop = try EventLoop()
    } catch {
      throw .host("epoll", error)
    }
    gate = PauseGate(loop)
    powerButton = InterruptInput(vm, line: Platform.powerButtonInterrupt)
    board = try Board(description, ram, vm, loop, broker, report: report)
    quiescence = Quiescence(loop) { [board] in Array(board.slots.values) }
    timeline.mark("kvm")
    do {
      watches.append(try SignalWatch(signals, self, report: report))
      if let descriptor = description.lifeline { watches.append(try Lifeline(descriptor, self)) }
    } catch {
      throw .host("lifeline", error)
    }
    do throws(MachineError) {
      try assemble(description)
      try start.finish(self)
      timeline.mark("loaded")
    } catch {
      close()
      throw error
    }
  }

  /// Runs the guest until it ends, or until `end`.
  ///
  /// - Parameter whenConfined: called before the guest's first instruction, with what this host lacks to confine the monitor.
  package func run(whenConfined: ([String]) -> Void = { _ in }) throws(MachineError) -> Outcome {
    timeline.mark("first-entry")
    defer { close() }
    // As long as this is the only thread: all that follow are held to it.
    if mode != .off {
      confinement = try MachineConfinement(calls, isRequired: mode == .require, roots: roots)
    }
    whenConfined(confinement?.missing ?? [])
    do {
      for slot in board.slots.values { try slot.startThreads { [self] in threadBegan(.queue) } }
      loop.post { [self] in threadBegan(.loop) }
      for vcpu in vcpus {
        threads.append(try Thread("vcpu \(vcpu.index)") { [self] in run(vcpu) })
      }
      try loop.run()
    } catch {
      throw .host("thread", error)
    }
    timeline.mark("end")
    return outcomeLock.withLock { outcome } ?? .poweredOff
  }

  /// Ends the machine as it stands. From any thread; the first call counts.
  package func end(_ outcome: Outcome) {
    outcomeLock.withLock {
      if self.outcome == nil { self.outcome = outcome }
    }
    loop.stop()
  }

  /// Asks the guest to switch itself off: its agent where it has one, and whoever heeds the power button.
  package func askToPowerOff() {
    // It would be a connection that the guest's devices do not know yet.
    if quiescence.isActive { return whenResumed.append { [self] in askToPowerOff() } }
    guard let connect = board.connect else { return powerButton.raise() }
    if powerOff == nil { powerOff = PowerOffRequest(connect, powerButton, loop) }
  }

  /// Whether the guest stands still, or is about to. On the loop's thread, as those that follow.
  package var isPaused: Bool { gate.isClosed }

  /// Stops all vCPUs where they are.
  ///
  /// - Parameter done: called once none runs any more, on the loop's thread.
  package func pause(_ done: @escaping () -> Void) {
    gate.close(Array(zip(vcpus, threads)), done)
  }

  /// Whether its devices stand still, too.
  package var isQuiesced: Bool { quiescence.isReached }

  /// Whether they do, or are about to.
  var isQuiescing: Bool { isWaitingToQuiesce || quiescence.isActive }

  /// Stops all vCPUs, and then all that devices do for them.
  ///
  /// - Parameter done: called once nothing moves any more; with false if the machine was resumed before that.
  package func quiesce(_ done: @escaping (Bool) -> Void) {
    isWaitingToQuiesce = true
    pause { [self] in
      isWaitingToQuiesce = false
      if gate.isShut { quiescence.enter(parts, done) } else { done(false) }
    }
  }

  /// Lets the guest go on.
  ///
  /// - Parameter done: called when it does: devices that are about to stand still do so first.
  package func resume(_ done: @escaping () -> Void = {}) {
    quiescence.leave { [self] in
      gate.open()
      done()
      let calls = whenResumed
      whenResumed = []
      for call in calls { call() }
    }
  }

  /// What the guest makes the monitor hold, each as `KEY=VALUE`: `nodes`, the files and directories that it knows, of each device
  /// with files; `streams` by vsock; `written`, of each write map with a limit: `BYTES/LIMIT/NAMES`, and `/LIMIT` of those if they
  /// have one.
  var usage: [String] { parts.flatMap(\.usage) }

  /// Has the device do what an order is about.
  ///
  /// - Returns: false if there is no such device.
  func obey(_ order: ControlOrder, _ client: ControlClient) -> Bool {
    parts.contains { $0.obey(order, client) }
  }

  /// Hands the registers of every vCPU to `report`, one after the other, while the guest goes on.
  package func reportVCPUs(_ report: @escaping (String) -> Void) {
    for (vcpu, thread) in zip(vcpus, threads) {
      vcpu.whenStopped { report("vCPU \(vcpu.index)\n\(vcpu.registerDump())") }
      vcpu.requestExit()
      thread.kick()
    }
  }

  private func run(_ vcpu: VCPU) {
    // What is named was there at the start; a CPU that has gone since is no reason to end.
    try? affinity?.bind(vcpu: vcpu.index)
    do throws(Errno) { try confinement?.confineVCPU() } catch {
      return end(.failed(report: "vCPU \(vcpu.index) cannot be confined: \(error.description)"))
    }
    threadBegan(.vcpu)
    while true {
      let mends = mendCount
      let exit = vcpu.run(board.addresses)
      // A page of a file that the host's kernel could not give.
      if exit == .failed(.badAddress), mendWindows(after: mends) { continue }
      guard exit == .interrupted else { return finish(after: exit, of: vcpu) }
      vcpu.resumeRequests()
    }
  }

  /// Of all windows.
  private var mendCount: Int { board.windows.reduce(0) { $0 + $1.mendCount } }

  private func mendWindows(after seen: Int) -> Bool {
    for window in board.windows where mendCount == seen { _ = window.mend(after: window.mendCount) }
    return mendCount != seen
  }

  private func finish(after exit: VCPUExit, of vcpu: VCPU) {
    switch exit {
    case .interrupted: break
    case .shutdown: end(.tripleFault(report: "triple fault on vCPU \(vcpu.index)\n\(vcpu.registerDump())"))
    case .halted, .systemEvent, .entryFailed, .internalError, .unexpected, .failed:
      end(.failed(report: "\(exit) on vCPU \(vcpu.index)\n\(vcpu.registerDump())"))
    }
  }

  // MARK: Assembly

  private func assemble(_ description: MachineDescription) throws(MachineError) {
    board.add(.powerButton(interrupt: Platform.powerButtonInterrupt)) {
      $0.add(
        PowerDevice(handler: self, sleepValue: PowerRegisters.sleepValue, resetValue: PowerRegisters.resetValue),
        atPort: Platform.powerPorts, count: UInt16(PowerDevice.windowSize))
    }
    board.addBus()
    board.add(.panicRegister(.memory(base: UInt32(Platform.panicRegister), size: 1))) {
      $0.add(PanicDevice(handler: self), atMemory: Platform.panicRegister, size: 1)
    }
    if description.discovery == .commandLine {
      board.addresses.add(AbsentClock(), atPort: AbsentClock.port, count: AbsentClock.portCount)
    }
    for kind in DeviceKind.all {
      for part in try kind.make(description, board) {
        // First, so that what it has put somewhere goes even if it gets no place.
        parts.append(part)
        try part.attach(to: board)
      }
    }
    if let name = board.missing { throw .noSuchDevice(name) }
    if let path = description.control {
      do throws(Errno) { control = try ControlSocket(path, self) } catch { throw .file(path: path, error) }
    }
    timeline.mark("devices")
    do {
      try board.mapMemory()
      for (index, apicID) in description.processors.apicIDs.enumerated() {
        let vcpu = try VCPU(vm, index: index, apicID: apicID)
        try vcpu.prepare(in: description.processors)
        vcpus.append(vcpu)
      }
    } catch {
      throw .kvm(error)
    }
  }

  private static func check(_ affinity: CPUAffinity?, _ count: Int) throws(MachineError) {
    guard let affinity else { return }
    if let cpu = affinity.missing { throw .cpuMissing(cpu) }
    if let vcpu = affinity.lastVCPU, vcpu >= count { throw .vcpuMissing(vcpu, count: count) }
  }

  /// Removes what the machine has put into the host's file system for as long as it is there. Whatever the way it ends.
  private func close() {
    // The vCPUs may still run; nobody serves them any more.
    for slot in board.slots.values { slot.hold() }
    for part in parts { part.close() }
    // It removes the names of all sockets.
    if let broker { return broker.close() }
    control?.close()
  }
}

extension Machine: PowerHandler, PanicHandler {
  package func guestPoweredOff() { end(.poweredOff) }

  package func guestReset() { end(.reset) }

  package func guestPanicked(_ panic: GuestPanic) {
    // A crash kernel goes on by itself.
    if panic == .panicked { end(.panicked) }
  }
}

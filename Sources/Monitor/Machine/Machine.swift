import Boot
import Confinement
import Devices
import FileSystem
import GuestMemory
import Host
import KVM
import PCI
import Synchronization
import Virtio

/// A whole machine, from its description to its end. The only place that knows every device.
package final class Machine: @unchecked Sendable {
  package let memory: GuestMemory
  package let vm: VirtualMachine
  /// Where devices that never block are served, and signals arrive.
  package let loop: EventLoop

  /// Where the guest's kernel lies.
  package let randomisation: KernelRandomisation
  private let ram: GuestRAM
  private let map: MemoryMap
  private let addresses = AddressMap()
  private let timeline: Timeline
  private var watches: [any EventHandler] = []
  private var vcpus: [VCPU] = []
  private var threads: [Thread] = []
  private var acpiDevices: [ACPIDevice] = []
  private var virtioCount = 0
  private let registers: RegisterPages
  private let bus: PCIBus?
  private let powerButton: InterruptInput
  private let messages: InterruptMessages
  private var vsock: UnixVsockBackend?
  /// Trees, each with its device.
  private var trees: [(server: FileSystemServer, slot: VirtioSlot)] = []
  private var slots: [VirtioSlot] = []
  private var disks: [DiskLine] = []
  private var windows: [any MendableWindow] = []
  private(set) var balloon: BalloonLine?
  /// The guest is the only one that writes there: it never asks whether something has changed.
  private var writeLocks: [DirectoryLock] = []
  private var powerOff: PowerOffRequest?
  private let affinity: CPUAffinity?
  private let broker: SocketBroker?
  private let mode: ConfinementMode
  private let parts: ConfinementPolicy.Parts
  private var confinement: MachineConfinement?
  /// For tests of what a monitor can do that was taken over: called by each thread, once it is confined.
  package var threadBegan: (ThreadKind) -> Void = { _ in }
  /// The directories of its trees, open.
  package var roots: [FileSystemServer.Root] { trees.flatMap(\.server.roots) }
  private var outcome: Outcome?
  /// How long the machine's end waits for what is under way in each queue of a tree, in milliseconds.
  private static let patience: UInt64 = 500
  private let outcomeLock = Lock()
  private let gate: PauseGate
  private var control: ControlSocket?
  /// By their numbers; on the event loop's thread.
  private(set) var cards: [NetworkLine] = []

  /// Builds the machine; nothing of it runs yet. To be called before any thread is started: it takes the process's signals.
  ///
  /// - Parameter report: takes lines for the machine's operator, on the event loop's or a vCPU's thread.
  package init(
    _ description: MachineDescription, report: @escaping (String) -> Void = { _ in }
  ) throws(MachineError) {
    timeline = Timeline(description.timings)
    timeline.mark("start")
    // The first of all: what is there by now another process has a copy of.
    broker = try description.startBroker()
    mode = description.confinement
    let description = description.confinement == .off ? description : description.detachingTrees()
    parts = description.parts(broker: broker?.process)
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
    // A region of a PCI bus lies at a multiple of its size, which is a power of two.
    let region = PCITransport.sharedMemorySize(description.window)
    var mapped: [MappedDisk] = []
    for disk in description.mappedDisks { mapped.append(try MappedDisk(disk)) }
    ram = try GuestRAM(
      map, pages: description.pages, isPopulated: description.isPopulated, windowSize: description.window,
      windowSpace: description.transport == .pci ? max(1 << 30, region) : 1 << 30, disks: mapped)
    switch description.transport {
    case .mmio: bus = nil
    case .pci: bus = PCIBus(ram.window.map { $0.addresses.lowerBound..<$0.addresses.lowerBound + region })
    }
    memory = ram.memory
    registers = try RegisterPages()
    let loader = try KernelLoader(description, ram, map)
    randomisation = loader.randomisation
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
    messages = InterruptMessages(vm)
    powerButton = InterruptInput(vm, line: Platform.powerButtonInterrupt)
    acpiDevices.append(.powerButton(interrupt: Platform.powerButtonInterrupt))
    timeline.mark("kvm")
    do {
      watches.append(try SignalWatch(signals, self, report: report))
      if let descriptor = description.lifeline { watches.append(try Lifeline(descriptor, self)) }
    } catch {
      throw .host("lifeline", error)
    }
    do throws(MachineError) {
      try assemble(description, loader, report)
    } catch {
      close()
      throw error
    }
  }

  /// What this host lacks to confine the monitor; empty before `run`, and where nothing is asked for.
  package var missingConfinement: [String] { confinement?.missing ?? [] }

  /// Runs the guest until it ends, or until `end`.
  package func run() throws(MachineError) -> Outcome {
    timeline.mark("first-entry")
    defer { close() }
    // As long as this is the only thread: all that follow are held to it.
    if mode != .off {
      confinement = try MachineConfinement(parts, isRequired: mode == .require, roots: roots)
    }
    do {
      for slot in slots { try slot.startThreads { [self] in threadBegan(.queue) } }
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
    guard let vsock else { return powerButton.raise() }
    if powerOff == nil { powerOff = PowerOffRequest(vsock, powerButton, loop) }
  }

  /// Whether the guest stands still, or is about to. On the loop's thread, as the two that follow.
  package var isPaused: Bool { gate.isClosed }

  /// Stops all vCPUs where they are.
  ///
  /// - Parameter done: called once none runs any more, on the loop's thread.
  package func pause(_ done: @escaping () -> Void) {
    gate.close(Array(zip(vcpus, threads)), done)
  }

  package func resume() { gate.open() }

  /// The disk of this place in the description, or of this serial number.
  func disk(_ name: String) -> DiskLine? {
    disks.first { $0.serial == name } ?? Int(name).flatMap { disks.indices.contains($0) ? disks[$0] : nil }
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
      let exit = vcpu.run(addresses)
      // A page of a file that the host's kernel could not give.
      if exit == .failed(.badAddress), mendWindows(after: mends) { continue }
      guard exit == .interrupted else { return finish(after: exit, of: vcpu) }
      vcpu.resumeRequests()
    }
  }

  /// Of all windows.
  private var mendCount: Int { windows.reduce(0) { $0 + $1.mendCount } }

  private func mendWindows(after seen: Int) -> Bool {
    for window in windows where mendCount == seen { _ = window.mend(after: window.mendCount) }
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

  private func assemble(
    _ description: MachineDescription, _ loader: KernelLoader, _ report: @escaping (String) -> Void
  ) throws(MachineError) {
    try addDevices(description, report)
    timeline.mark("devices")
    let entry = try loader.finish(map, try bootOptions(description))
    timeline.mark("loaded")
    do {
      // On the bus the guest decides when and where it sees a window.
      for (slot, region) in memory.regions.enumerated() where bus == nil || slot != ram.windowIndex {
        try vm.map(region, slot: slot, isReadOnly: ram.isReadOnly(region))
      }
      if bus == nil {
        let pages = registers.memory(count: virtioCount).regions[0]
        try vm.map(pages, slot: memory.regions.count, isReadOnly: true)
      }
      for (index, apicID) in description.processors.apicIDs.enumerated() {
        let vcpu = try VCPU(vm, index: index, apicID: apicID)
        try vcpu.prepare(in: description.processors)
        vcpus.append(vcpu)
      }
      try vcpus[0].enter(entry)
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
    for slot in slots { slot.retire() }
    for (server, slot) in trees {
      // A host that does not answer holds up no end. What is left in a write map goes when it is next used.
      if slot.rests(within: Self.patience) { server.close() } else { server.abandon() }
    }
    if let broker { return broker.close() }
    vsock?.close()
    control?.close()
  }

  private func addDevices(
    _ description: MachineDescription, _ report: @escaping (String) -> Void
  ) throws(MachineError) {
    addresses.add(
      PowerDevice(
        handler: self, sleepValue: PowerRegisters.sleepValue, resetValue: PowerRegisters.resetValue),
      atPort: Platform.powerPorts, count: UInt16(PowerDevice.windowSize))
    addBus()
    addresses.add(PanicDevice(handler: self), atMemory: Platform.panicRegister, size: 1)
    acpiDevices.append(.panicRegister(.memory(base: UInt32(Platform.panicRegister), size: 1)))
    if let output = description.com1 { try addSerial(output, Platform.com1) }
    if let output = description.com2 { try addSerial(output, Platform.com2) }
    try addEntropy(description.entropyRate)
    if description.hasTree {
      try addTree(description)
    }
    for (tag, share) in description.sharedDevices { try addShare(tag, share, description) }
    if let path = description.vsock { try addVsock(path, description.guestCID) }
    if let path = description.control {
      do throws(Errno) { control = try ControlSocket(path, self) } catch { throw .file(path: path, error) }
    }
    if let output = description.console { try addConsole(output) }
    if description.hasBalloon {
      let line = try BalloonLine(memory, loop: loop)
      line.attach(try add(line.device))
      balloon = line
    }
    for disk in description.disks {
      // More queues than vCPUs have nobody to fill them.
      let line = try DiskLine(disk, queueCount: min(description.processors.count, 4), loop: loop)
      line.attach(try add(line.device))
      disks.append(line)
    }
    for (disk, addresses) in ram.disks {
      windows.append(disk)
      do throws(Errno) { try disk.beWatched(by: loop) } catch { throw .host("inotify", error) }
      try add(PersistentMemoryDevice(addresses, backend: disk))
    }
    for (index, card) in description.cards.enumerated() {
      let line = NetworkLine(index, report: report)
      line.attach(try add(try line.open(card, description.egress, loop)))
      cards.append(line)
    }
  }

  private func addSerial(
    _ output: MachineDescription.Output, _ place: Platform.SerialPlace
  ) throws(MachineError) {
    let line = InterruptInput(vm, line: place.interrupt)
    addresses.add(SerialLine(try output.open(), interrupt: line, loop: loop), atPort: place.port, count: 8)
    acpiDevices.append(place.device)
  }

  private func addEntropy(_ rate: Int?) throws(MachineError) {
    var source: any EntropySource = HostEntropy()
    if let rate {
      do throws(Errno) { source = try RateLimitedEntropy(source, rate: rate, loop: loop) } catch {
        throw .host("timer", error)
      }
    }
    try add(EntropyDevice(source: source))
  }

  private func addTree(_ description: MachineDescription) throws(MachineError) {
    let tree: LayeredTree
    do {
      tree = try LayeredTree(
        reads: description.reads, writes: description.writes, shares: description.shares, hides: description.hides,
        users: description.users, groups: description.groups, window: ram.window?.files,
        mountPoints: description.sharedDevices.map { $0.share.map.guestPath }, treeCount: description.treeCount)
    } catch {
      throw .tree(error)
    }
    for map in description.writes { try lock(map) }
    let server = FileSystemServer(tree)
    // Now the guest has booted: what has run until then is seldom needed again.
    server.whenMounted = { OwnCode.release() }
    if ram.window != nil { windows.append(server) }
    if let watch = server.windowWatch {
      let handler = WindowWatch(server)
      watches.append(handler)
      do throws(Errno) { try loop.add(watch, .readable, handler) } catch { throw .host("inotify", error) }
    }
    // More queues than vCPUs have nobody to fill them.
    let slot = try add(
      FileSystemDevice(
        tag: description.tag, requestQueues: min(description.processors.count, 4), window: ram.window?.addresses,
        backend: server))
    trees.append((server, slot))
  }

  /// A machine that has just ended may have a directory for moments still.
  private func lock(_ map: LayerMap) throws(MachineError) {
    do throws(Errno) {
      writeLocks.append(try DirectoryLock(map.place ?? map.hostPath, patience: 2000))
    } catch {
      throw error == .wouldBlock ? .writtenElsewhere(path: map.hostPath) : .file(path: map.hostPath, error)
    }
  }

  /// A share that is a device: it alone is what the guest mounts from it.
  private func addShare(_ tag: [UInt8], _ share: Share, _ description: MachineDescription) throws(MachineError) {
    var share = share
    share.map.guestPath = "/"
    let tree: LayeredTree
    do {
      tree = try LayeredTree(
        reads: [], shares: [share], users: description.users, groups: description.groups,
        treeCount: description.treeCount)
    } catch {
      throw .tree(error)
    }
    let server = FileSystemServer(tree)
    let slot = try add(
      FileSystemDevice(tag: tag, requestQueues: min(description.processors.count, 4), backend: server))
    trees.append((server, slot))
  }

  private func addVsock(_ path: Path, _ cid: UInt64) throws(MachineError) {
    let device = VsockDevice(guestCID: cid)
    try add(device)
    do {
      vsock = try UnixVsockBackend(device, path: path, broker: broker, loop: loop)
    } catch {
      throw .file(path: path, error)
    }
  }

  private func addConsole(_ output: MachineDescription.Output) throws(MachineError) {
    let line = ConsoleLine(try output.open(), loop: loop)
    let device = ConsoleDevice(backend: line)
    line.device = device
    try add(device)
  }

  /// Puts the bus where the guest finds it, if there is one, and its host bridge into the ACPI tables.
  private func addBus() {
    guard let bus else { return }
    addresses.add(
      PCIConfigurationWindow(bus), atMemory: Platform.busConfiguration, size: ConfigurationAddress.busSize)
    acpiDevices.append(
      .motherboard([
        .memory(base: UInt32(Platform.busConfiguration), size: UInt32(ConfigurationAddress.busSize))
      ]))
    let near = Platform.busWindow
    addresses.add(PCIMemoryWindow(bus, base: near.lowerBound), atMemory: near.lowerBound, size: UInt64(near.count))
    var windows: [ACPIResource] = [.window(UInt32(near.lowerBound)..<UInt32(near.upperBound))]
    if let far = bus.window {
      addresses.add(PCIMemoryWindow(bus, base: far.lowerBound), atMemory: far.lowerBound, size: UInt64(far.count))
      windows.append(.prefetchableWindow(far))
    }
    acpiDevices.append(.hostBridge(windows: windows))
  }

  /// Gives a virtio device its place in the machine, where its transport has the guest find it.
  @discardableResult
  private func add(_ device: any VirtioDevice) throws(MachineError) -> VirtioSlot {
    let slot = VirtioSlot(loop)
    slots.append(slot)
    if let bus { try add(device, slot, on: bus) } else { try addRegisters(device, slot) }
    virtioCount += 1
    return slot
  }

  /// Makes a device a function of the bus.
  private func add(_ device: any VirtioDevice, _ slot: VirtioSlot, on bus: PCIBus) throws(MachineError) {
    let transport = PCITransport(
      device, memory: memory, address: try bus.allocate(PCITransport.registers.size), sink: messages, owner: slot)
    try slot.serve(transport)
    var window: VirtioFunction.SharedMemory?
    if transport.sharedMemory != nil, let index = ram.windowIndex {
      window = VirtioFunction.SharedMemory(memory: memory.regions[index], slot: index)
    }
    try bus.add(VirtioFunction(transport, slot, on: bus, vm: vm, window: window))
  }

  /// Gives a device a page of registers, an interrupt and a node in the ACPI tables.
  private func addRegisters(_ device: any VirtioDevice, _ slot: VirtioSlot) throws(MachineError) {
    let line = Platform.firstVirtioInterrupt + UInt32(virtioCount)
    guard line <= Platform.lastInterrupt else { throw .tooManyDevices(most: virtioCount, onBus: false) }
    let base = Platform.virtioWindow(virtioCount)
    let transport = MMIOTransport(
      device, memory: memory, line: InterruptInput(vm, line: line), owner: slot,
      shown: registers.window(virtioCount))
    try slot.serve(transport)
    addresses.add(
      try MMIORegisters(transport, slot, vm: vm, base: base), atMemory: base, size: MMIOTransport.windowSize)
    acpiDevices.append(
      .virtioMMIO(
        index: UInt8(virtioCount), base: UInt32(base), size: UInt32(MMIOTransport.windowSize), interrupt: line))
  }

  private func bootOptions(_ description: MachineDescription) throws(MachineError) -> BootPlan.Options {
    var options = BootPlan.Options()
    options.commandLine = CommandLine(bytes: description.commandLine)
    options.seed = RandomBytes.make(64)
    options.generation = RandomBytes.make(16)
    let apicIDs = description.processors.apicIDs
    switch description.discovery {
    case .acpi:
      var platform = ACPIPlatform(apicIDs: apicIDs, power: Platform.power, devices: acpiDevices)
      if bus != nil { platform.busConfiguration = Platform.busConfiguration }
      options.acpi = platform
    case .commandLine:
      options.mp = MPPlatform(apicIDs: apicIDs, power: Platform.power)
      addresses.add(AbsentClock(), atPort: AbsentClock.port, count: AbsentClock.portCount)
      // Before the rest: what follows a word of two hyphens is for init.
      var devices = deviceArguments
      devices.append(options.commandLine)
      options.commandLine = devices
    }
    return options
  }

  /// What the ACPI tables would say, as far as a kernel takes it from its command line.
  private var deviceArguments: CommandLine {
    var line = CommandLine()
    for index in 0..<virtioCount {
      line.appendVirtioMMIO(
        base: Platform.virtioWindow(index), size: MMIOTransport.windowSize,
        interrupt: Platform.firstVirtioInterrupt + UInt32(index))
    }
    line.appendPowerOff(port: Platform.powerPorts, value: PowerRegisters.sleepValue)
    // Through the reset vector. Otherwise Linux waits for a keyboard controller first, by a million reads of its port.
    line.append("reboot=b")
    return line
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

extension FileSystemServer: FileSystemBackend {}

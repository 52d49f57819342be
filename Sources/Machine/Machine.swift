import Boot
import Devices
import FileSystem
import GuestMemory
import Host
import KVM
import Synchronization
import Virtio

/// A whole machine, from its description to its end. The only place that knows every device.
package final class Machine: @unchecked Sendable {
  package let memory: GuestMemory
  package let vm: VirtualMachine
  /// Where devices that never block are served, and signals arrive.
  package let loop: EventLoop

  private let ram: GuestRAM
  private let map: MemoryMap
  private let addresses = AddressMap()
  private let timeline: Timeline
  private var vcpus: [VCPU] = []
  private var acpiDevices: [ACPIDevice] = []
  private var virtioCount = 0
  private let powerButton: InterruptEvent
  private var outcome: Outcome?
  private let outcomeLock = Lock()

  /// Builds the machine; nothing of it runs yet.
  package init(_ description: MachineDescription) throws(MachineError) {
    timeline = Timeline(description.timings)
    timeline.mark("start")
    let loader = try KernelLoader(description)
    do throws(KVMError) {
      let system =
        switch description.kvm {
        case .path(let path): try KVMSystem(path: path)
        case .descriptor(let number): try KVMSystem(FileDescriptor(owning: number))
        }
      if let capability = system.missingCapabilities().first { throw KVMError.missing(capability: capability) }
      guard description.cpus <= system.maximumVCPUs else {
        throw KVMError.vCPUs(asked: description.cpus, most: system.maximumVCPUs)
      }
      vm = try VirtualMachine(system)
    } catch {
      throw .kvm(error)
    }
    do {
      loop = try EventLoop()
    } catch {
      throw .host("epoll", error)
    }
    do {
      map = try MemoryMap(size: description.memory)
    } catch {
      throw .boot(error)
    }
    ram = try GuestRAM(map)
    memory = ram.memory
    powerButton = try InterruptEvent(vm, line: Platform.powerButtonInterrupt)
    acpiDevices.append(.powerButton(interrupt: Platform.powerButtonInterrupt))
    timeline.mark("kvm")
    try addDevices(description)
    timeline.mark("devices")
    let entry = try loader.load(into: ram, map, try bootOptions(description))
    timeline.mark("loaded")
    do {
      try vm.map(memory)
      for index in 0..<description.cpus {
        let vcpu = try VCPU(vm, index: index, of: description.cpus)
        try vcpu.prepare(of: description.cpus)
        vcpus.append(vcpu)
      }
      try vcpus[0].enter(entry)
    } catch {
      throw .kvm(error)
    }
  }

  /// Runs the guest until it ends, or until `end`.
  package func run() throws(MachineError) -> Outcome {
    timeline.mark("first-entry")
    do {
      for vcpu in vcpus {
        _ = try Thread("vcpu \(vcpu.index)") { [self] in finish(after: vcpu.run(addresses), of: vcpu) }
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

  /// Presses the power button.
  package func pressPowerButton() { powerButton.raise() }

  private func finish(after exit: VCPUExit, of vcpu: VCPU) {
    switch exit {
    case .interrupted: break
    case .shutdown: end(.tripleFault)
    case .halted, .systemEvent, .entryFailed, .internalError, .unexpected, .failed:
      end(.failed(report: "\(exit) on vCPU \(vcpu.index)\n\(vcpu.registerDump())"))
    }
  }

  // MARK: Assembly

  private func addDevices(_ description: MachineDescription) throws(MachineError) {
    let power = PowerDevice { [self] in end($0) }
    addresses.add(power, atPort: Platform.powerPorts, count: 3)
  }

  /// Gives a virtio device its window, its interrupt and its node in the ACPI tables.
  private func add(_ device: any VirtioDevice, _ service: VirtioSlot.Service) throws(MachineError) {
    let line = Platform.firstVirtioInterrupt + UInt32(virtioCount)
    precondition(line <= Platform.lastInterrupt, "more devices than interrupts")
    let base = Platform.virtioWindow(virtioCount)
    let slot = try VirtioSlot(
      device, machine: self, base: base, line: InterruptEvent(vm, line: line), service: service)
    addresses.add(slot, atMemory: base, size: MMIOTransport.windowSize)
    acpiDevices.append(
      .virtioMMIO(
        index: UInt8(virtioCount), base: UInt32(base), size: UInt32(MMIOTransport.windowSize), interrupt: line))
    virtioCount += 1
  }

  private func bootOptions(_ description: MachineDescription) throws(MachineError) -> BootPlan.Options {
    var options = BootPlan.Options()
    options.commandLine = CommandLine(description.commandLine)
    options.acpi = ACPIPlatform(
      apicIDs: (0..<UInt32(description.cpus)).map { $0 }, power: Platform.power, devices: acpiDevices)
    options.seed = try randomBytes(64)
    return options
  }

  private func randomBytes(_ count: Int) throws(MachineError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    do {
      let source = try FileDescriptor.open("/dev/urandom", 0)
      _ = try source.read(into: &bytes)
    } catch {
      throw .file(path: "/dev/urandom", error)
    }
    return bytes
  }
}

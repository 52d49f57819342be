import Boot
import Confinement
import Devices
import GuestMemory
import Host
import KVM
import PCI
import State
import Virtio

/// Where a machine's devices are: addresses, ports, interrupts, and what the guest is told of them. It knows places, and no
/// device.
final class Board {
  let memory: GuestMemory
  let ram: GuestRAM
  let vm: VirtualMachine
  /// Where devices that never block are served.
  let loop: EventLoop
  /// Which device answers a vCPU.
  let addresses = AddressMap()
  /// Keeps the names of sockets, and connects to them, where this process is not to.
  let broker: SocketBroker?
  /// Takes lines for the machine's operator.
  let report: (String) -> Void
  private(set) var acpiDevices: [ACPIDevice] = []
  /// Of the virtio devices, by their places.
  private(set) var slots: [Int: VirtioSlot] = [:]
  /// Files in guest memory.
  private(set) var windows: [any MendableWindow] = []
  /// Reaches a port of the guest by its vsock, if it has one.
  var connect: ((UInt32) throws(Errno) -> FileDescriptor?)?

  private let places: [String: Int]
  private var placed: Set<String> = []
  private let registers: RegisterPages
  private let bus: PCIBus?
  private let messages: InterruptMessages
  private var functions: [VirtioFunction] = []

  /// - Throws: two devices that are to have one place.
  init(
    _ description: MachineDescription, _ ram: GuestRAM, _ vm: VirtualMachine, _ loop: EventLoop,
    _ broker: SocketBroker?, report: @escaping (String) -> Void
  ) throws(MachineError) {
    memory = ram.memory
    self.ram = ram
    self.vm = vm
    self.loop = loop
    self.broker = broker
    self.report = report
    places = description.places
    for (name, place) in places {
      for (other, same) in places where same == place && other != name { throw .onePlace(name, other) }
    }
    registers = try RegisterPages()
    messages = InterruptMessages(vm)
    switch description.transport {
    case .mmio: bus = nil
    case .pci:
      bus = PCIBus(
        ram.window.map {
          $0.addresses.lowerBound..<$0.addresses.lowerBound + PCITransport.sharedMemorySize(description.window)
        })
    }
  }

  /// Puts a device that is none of virtio's where `place` says, and into the ACPI tables.
  func add(_ device: ACPIDevice, _ place: (AddressMap) -> Void = { _ in }) {
    place(addresses)
    acpiDevices.append(device)
  }

  /// Files that a part has put into guest memory.
  func add(_ window: any MendableWindow) { windows.append(window) }

  /// Puts the bus where the guest finds it, if there is one, and its host bridge into the ACPI tables.
  func addBus() {
    guard let bus else { return }
    add(
      .motherboard([
        .memory(base: UInt32(Platform.busConfiguration), size: UInt32(ConfigurationAddress.busSize))
      ])
    ) {
      $0.add(PCIConfigurationWindow(bus), atMemory: Platform.busConfiguration, size: ConfigurationAddress.busSize)
    }
    var windows: [ACPIResource] = []
    for window in [Platform.busWindow] + (bus.window.map { [$0] } ?? []) {
      addresses.add(
        PCIMemoryWindow(bus, base: window.lowerBound), atMemory: window.lowerBound, size: UInt64(window.count))
      windows.append(
        windows.isEmpty
          ? .window(UInt32(window.lowerBound)..<UInt32(window.upperBound)) : .prefetchableWindow(window))
    }
    add(.hostBridge(windows: windows))
  }

  /// Gives a virtio device its place: the one that the machine's description has for its name, or else the first that is free
  /// and nobody's. Window, interrupt and number on the bus follow from the place.
  func add(_ device: any VirtioDevice, named name: String) throws(MachineError) -> VirtioSlot {
    let place = places[name] ?? firstFree
    placed.insert(name)
    let slot = VirtioSlot(loop)
    if let bus { try add(device, slot, at: place, on: bus) } else { try addRegisters(device, slot, at: place) }
    slots[place] = slot
    return slot
  }

  /// Once all devices are there: what has a place and is not there.
  var missing: String? { places.keys.filter { !placed.contains($0) }.min() }

  private var firstFree: Int {
    var place = 0
    while slots[place] != nil || places.values.contains(place) { place += 1 }
    return place
  }

  /// Makes a device a function of the bus.
  private func add(_ device: any VirtioDevice, _ slot: VirtioSlot, at place: Int, on bus: PCIBus) throws(MachineError) {
    let transport = PCITransport(
      device, memory: memory, address: try bus.address(of: place, size: PCITransport.registers.size), sink: messages,
      owner: slot)
    try slot.serve(transport)
    var window: VirtioFunction.SharedMemory?
    if transport.sharedMemory != nil, let index = ram.windowIndex {
      window = VirtioFunction.SharedMemory(memory: memory.regions[index], slot: index)
    }
    let function = VirtioFunction(transport, slot, on: bus, vm: vm, window: window)
    functions.append(function)
    bus.add(function, at: place)
  }

  /// Gives a device a page of registers, an interrupt and a node in the ACPI tables.
  private func addRegisters(_ device: any VirtioDevice, _ slot: VirtioSlot, at place: Int) throws(MachineError) {
    guard place < Platform.virtioPlaces else { throw .tooManyDevices(most: Platform.virtioPlaces, onBus: false) }
    let line = Platform.virtioInterrupt(place)
    let base = Platform.virtioWindow(place)
    let transport = MMIOTransport(
      device, memory: memory, line: InterruptInput(vm, line: line), owner: slot, shown: registers.window(place))
    try slot.serve(transport)
    let page = try MMIORegisters(transport, slot, vm: vm, base: base)
    add(
      .virtioMMIO(index: UInt8(place), base: UInt32(base), size: UInt32(MMIOTransport.windowSize), interrupt: line)
    ) {
      $0.add(page, atMemory: base, size: MMIOTransport.windowSize)
    }
  }

  /// Shows the guest its memory.
  func mapMemory() throws(KVMError) {
    // On the bus the guest decides when and where it sees a window.
    for (slot, region) in memory.regions.enumerated() where bus == nil || slot != ram.windowIndex {
      try vm.map(region, slot: slot, isReadOnly: ram.isReadOnly(region))
    }
    guard bus == nil, let last = slots.keys.max() else { return }
    try vm.map(registers.memory(count: last + 1).regions[0], slot: memory.regions.count, isReadOnly: true)
  }

  // MARK: State

  /// Adds all virtio devices to a state. The machine is quiesced.
  func save(to state: inout StateWriter) throws(StateError) {
    for (place, slot) in slots.sorted(by: { $0.key < $1.key }) {
      try slot.save(to: &state, place: UInt16(clamping: place))
    }
  }

  /// Makes them what they were. Memory is what it was already, and nothing of the machine has run.
  func restore(from state: inout StateReader) throws(StateError) {
    for (place, slot) in slots.sorted(by: { $0.key < $1.key }) {
      try slot.restore(from: &state, place: UInt16(clamping: place))
    }
    for function in functions { function.restored() }
  }

  /// Once the whole machine is restored: has devices and drivers look at their queues.
  func wake() {
    for slot in slots.values { slot.wakeAll() }
  }

  // MARK: What the guest is told

  /// For a kernel with ACPI.
  func platform(apicIDs: [UInt32]) -> ACPIPlatform {
    var platform = ACPIPlatform(apicIDs: apicIDs, power: Platform.power, devices: acpiDevices)
    if bus != nil { platform.busConfiguration = Platform.busConfiguration }
    return platform
  }

  /// What the ACPI tables would say, as far as a kernel takes it from its command line.
  var arguments: CommandLine {
    var line = CommandLine()
    for place in slots.keys.sorted() {
      line.appendVirtioMMIO(
        base: Platform.virtioWindow(place), size: MMIOTransport.windowSize,
        interrupt: Platform.virtioInterrupt(place))
    }
    line.appendPowerOff(port: Platform.powerPorts, value: PowerRegisters.sleepValue)
    // Through the reset vector. Otherwise Linux waits for a keyboard controller first, by a million reads of its port.
    line.append("reboot=b")
    return line
  }
}

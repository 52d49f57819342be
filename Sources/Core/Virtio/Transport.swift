import GuestMemory
import State
import Synchronization

/// What every transport does for its device: it negotiates, and starts and resets it (Virtio 1.2, 3.1). A subclass adds the
/// registers by which the driver says so.
///
/// Register accesses must not overlap, except where a transport says so. `needsReset` and `configurationChanged` come from
/// any thread.
package class Transport {
  package final let device: any VirtioDevice
  package final let queues: [VirtQueue]

  final let owner: any TransportOwner
  private let memory: GuestMemory
  private let interrupt: any DeviceInterrupt
  private let offered: Features
  private(set) final var accepted: Features = []
  private let statusBits = Atomic<UInt32>(0)
  /// Between `started` and `stopped`; not so when DRIVER_OK came with queues that could not be.
  private(set) final var isRunning = false
  private let generationCount = Atomic<UInt32>(0)
  /// DEVICE_NEEDS_RESET, which the device sets while the driver's bits belong to the thread of a register access.
  private let isBroken = Atomic<Bool>(false)

  // What the driver selected for its next accesses.
  final var deviceFeaturesWord: UInt32 = 0
  final var driverFeaturesWord: UInt32 = 0
  final var selectedQueue: UInt32 = 0

  init(
    _ device: any VirtioDevice, memory: GuestMemory, interrupt: any DeviceInterrupt, owner: any TransportOwner
  ) {
    self.device = device
    self.memory = memory
    self.interrupt = interrupt
    self.owner = owner
    offered = device.features.union(.common)
    var queues: [VirtQueue] = []
    for (index, size) in device.queueSizes.enumerated() {
      let queue = VirtQueue(index: index, maximumSize: size, limit: device.requestLimit, interrupt: interrupt)
      queue.notifier = owner
      queues.append(queue)
    }
    self.queues = queues
  }

  /// Called when `visibleStatus` has changed; from any thread.
  func statusChanged() {}

  /// Called when the device's configuration or `generation` has changed; from any thread.
  func contentsChanged() {}

  /// Marks the device as broken by its driver until the next reset (2.1.2).
  package final func needsReset() {
    isBroken.store(true, ordering: .releasing)
    statusChanged()
    interrupt.signalConfiguration()
  }

  /// Tells the driver that the configuration has changed (2.5.1).
  package final func configurationChanged() {
    _ = generationCount.wrappingAdd(1, ordering: .acquiringAndReleasing)
    contentsChanged()
    interrupt.signalConfiguration()
  }

  // MARK: What the driver reads

  final var visibleStatus: UInt32 {
    status.union(isBroken.load(ordering: .acquiring) ? .needsReset : []).rawValue
  }

  final var generation: UInt32 { generationCount.load(ordering: .acquiring) }

  final var selected: VirtQueue? {
    selectedQueue < UInt32(queues.count) ? queues[Int(selectedQueue)] : nil
  }

  /// 32 of the features that the device offers.
  final var offeredWord: UInt32 { word(offered, deviceFeaturesWord) }

  /// 32 of those that the driver took.
  final var acceptedWord: UInt32 { word(accepted, driverFeaturesWord) }

  /// `width` bytes of the device's configuration; zero where they are not all there.
  final func readDevice(at offset: UInt64, width: Int) -> UInt32 {
    let bytes = device.configuration
    guard offset < UInt64(bytes.count), width <= bytes.count - Int(offset) else { return 0 }
    var value: UInt32 = 0
    for index in 0..<min(width, 4) { value |= UInt32(bytes[Int(offset) + index]) << (8 * UInt32(index)) }
    return value
  }

  // MARK: What the driver writes

  final func writeDevice(_ value: UInt32, at offset: UInt64, width: Int) {
    guard status.contains(.driver), offset < UInt64(device.configuration.count) else { return }
    device.writeConfiguration(value, at: Int(offset), width: width)
    contentsChanged()
  }

  final func accept(_ value: UInt32) {
    guard !status.contains(.featuresOK), driverFeaturesWord < 2 else { return }
    let shift = 32 * UInt64(driverFeaturesWord)
    let others = accepted.rawValue & ~(0xffff_ffff << shift)
    accepted = Features(rawValue: others | UInt64(value) << shift)
  }

  /// The selected queue, if it may still take its shape: a live one keeps it until the reset.
  final var changeableQueue: VirtQueue? { status.contains(.driverOK) ? nil : selected }

  /// Steps of the initialization sequence (3.1.1).
  final func setStatus(_ new: DeviceStatus) {
    if new.isEmpty { return reset() }
    var next = new.subtracting(.needsReset).union(status)
    if next.contains(.featuresOK), !status.contains(.featuresOK) {
      // 2.2.2, 6.2: what was not offered, or a driver older than version 1, is refused by leaving the bit clear.
      if !accepts(accepted) { next.remove(.featuresOK) }
    }
    if next.contains(.driverOK), !status.contains(.driverOK) {
      guard next.contains(.featuresOK) else { return }
      status = next
      return start()
    }
    status = next
  }

  /// Called at the end of a reset, to forget what the registers hold besides.
  func registersReset() {}

  /// The driver's bits: written on the thread of a register access, shown on any.
  private var status: DeviceStatus {
    get { DeviceStatus(rawValue: statusBits.load(ordering: .acquiring)) }
    set { statusBits.store(newValue.rawValue, ordering: .releasing) }
  }

  private func word(_ features: Features, _ index: UInt32) -> UInt32 {
    switch index {
    case 0: features.rawValue.low
    case 1: features.rawValue.high
    default: 0
    }
  }

  /// Whether these features are enough for a driver, and not more than there are.
  final func accepts(_ features: Features) -> Bool { features.isSubset(of: offered) && features.contains(.version1) }

  // MARK: State

  /// Which transport it is, in a state.
  var stateKind: UInt8 { 0 }
  /// Registers of this transport's own, with field ids from 64 on.
  func saveRegisters(to fields: inout FieldWriter) {}
  func restoreRegisters(from fields: inout FieldReader) throws(StateError) {}
  /// Interrupts that were not sent yet may be, and those of queues are.
  func resumeInterrupts() {}

  final func activate(_ queue: VirtQueue, _ features: Features) throws(QueueFault) {
    try queue.activate(memory, features: features)
  }

  final func signal(_ queue: VirtQueue) { interrupt.signal(queue: queue.index) }

  final func signalConfiguration() { interrupt.signalConfiguration() }

  /// The last step of being restored.
  final func become(
    _ features: Features, _ status: DeviceStatus, isRunning: Bool, isBroken: Bool, generation: UInt32
  ) {
    accepted = features
    self.status = status
    self.isRunning = isRunning
    self.isBroken.store(isBroken, ordering: .releasing)
    generationCount.store(generation, ordering: .releasing)
    statusChanged()
    contentsChanged()
    registersRestored()
    if isRunning { owner.withDevice { owner.started() } }
  }

  /// Called at the end, when everything reads as it did.
  func registersRestored() {}

  private func start() {
    do throws(QueueFault) {
      for queue in queues { try queue.activate(memory, features: accepted) }
    } catch {
      for queue in queues { queue.deactivate() }
      return needsReset()
    }
    isRunning = true
    owner.withDevice {
      device.start(queues, features: accepted)
      owner.started()
    }
  }

  private func reset() {
    owner.withDevice {
      if isRunning { owner.stopped() }
      device.reset()
      for queue in queues { queue.reset() }
    }
    isRunning = false
    interrupt.reset()
    isBroken.store(false, ordering: .releasing)
    status = []
    accepted = []
    selectedQueue = 0
    deviceFeaturesWord = 0
    driverFeaturesWord = 0
    registersReset()
  }
}

extension UInt64 {
  /// Halves, since registers have 32 bits.
  var low: UInt32 {
    get { UInt32(truncatingIfNeeded: self) }
    set { self = self & 0xffff_ffff_0000_0000 | UInt64(newValue) }
  }

  var high: UInt32 {
    get { UInt32(truncatingIfNeeded: self >> 32) }
    set { self = self & 0xffff_ffff | UInt64(newValue) << 32 }
  }
}

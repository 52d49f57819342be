import GuestMemory
import Synchronization

/// A device behind a page of registers, version 2 (Virtio 1.2, 4.2.2).
///
/// Register accesses must not overlap, except to the interrupt registers, which are atomic: a driver acknowledges an
/// interrupt on one vCPU while the device is busy on a queue. `needsReset` and `configurationChanged` come from any thread.
package final class MMIOTransport {
  /// Bytes of guest-physical space that the registers take.
  package static let windowSize: UInt64 = 0x1000
  /// Where the queue index is written, for an ioeventfd.
  package static let queueNotifyOffset: UInt64 = 0x50
  /// Where the driver reads why it was interrupted, and acknowledges it: safe at any time, on any thread.
  package static let interruptStatusOffset: UInt64 = 0x60
  package static let interruptAcknowledgeOffset: UInt64 = 0x64
  /// What is acknowledged after used buffers. It may be kept from us where registers are shown: the bit then stays set once
  /// it was, which is no harm, since the line is an edge, and only interrupts make a driver look.
  package static let usedBufferReason: UInt32 = 1

  package let device: any VirtioDevice
  package let queues: [VirtQueue]
  package let interrupt: TransportInterrupt

  private let memory: GuestMemory
  private let owner: any TransportOwner
  private let offered: Features
  private var accepted: Features = []
  private let statusBits = Atomic<UInt32>(0)
  /// Between `started` and `stopped`; not so when DRIVER_OK came with queues that could not be.
  private var isRunning = false
  private var deviceFeaturesWord: UInt32 = 0
  private var driverFeaturesWord: UInt32 = 0
  private var selectedQueue: UInt32 = 0
  private var selectedSharedMemory: UInt32 = 0
  private let generation = Atomic<UInt32>(0)
  /// DEVICE_NEEDS_RESET, which the device sets while the driver's bits belong to the thread of a register access.
  private let isBroken = Atomic<Bool>(false)
  private let shown: ShownRegisters?

  /// - Parameters:
  ///   - line: the interrupt of the device, as its driver was told.
  ///   - owner: starts and stops the threads that work on the queues.
  ///   - shown: where the driver reads, if not by `read`.
  package init(
    _ device: any VirtioDevice, memory: GuestMemory, line: any InterruptLine, owner: any TransportOwner,
    shown: ShownRegisters? = nil
  ) {
    self.device = device
    self.shown = shown
    self.memory = memory
    self.owner = owner
    offered = device.features.union(.common)
    let interrupt = TransportInterrupt(line: line, shown: shown)
    self.interrupt = interrupt
    var queues: [VirtQueue] = []
    for (index, size) in device.queueSizes.enumerated() {
      let queue = VirtQueue(index: index, maximumSize: size, interrupt: interrupt)
      queue.notifier = owner
      queues.append(queue)
    }
    self.queues = queues
    showRegisters()
    showConfiguration()
  }

  /// The driver's bits: written on the thread of a register access, shown on any.
  private var status: DeviceStatus {
    get { DeviceStatus(rawValue: statusBits.load(ordering: .acquiring)) }
    set { statusBits.store(newValue.rawValue, ordering: .releasing) }
  }

  /// The driver reads `width` bytes (1, 2 or 4) at `offset`.
  package func read(offset: UInt64, width: Int) -> UInt32 {
    if offset >= Register.configuration { return readConfiguration(offset &- Register.configuration, width) }
    // 4.2.2.2: registers are accessed as aligned 32-bit words.
    guard width == 4 else { return 0 }
    switch offset {
    case Register.magic: return 0x7472_6976
    case Register.version: return 2
    case Register.deviceID: return device.id
    case Register.vendorID: return 0x6d76_6f6e
    case Register.deviceFeatures: return word(offered, deviceFeaturesWord)
    case Register.queueSizeMaximum: return UInt32(selected?.maximumSize ?? 0)
    case Register.queueReady: return selected?.isReady == true ? 1 : 0
    case Register.interruptStatus: return interrupt.status
    case Register.status: return visibleStatus
    case Register.sharedMemoryLength: return low(sharedMemoryLength)
    case Register.sharedMemoryLength + 4: return high(sharedMemoryLength)
    case Register.sharedMemoryBase: return low(sharedMemory?.lowerBound ?? .max)
    case Register.sharedMemoryBase + 4: return high(sharedMemory?.lowerBound ?? .max)
    case Register.generation: return generation.load(ordering: .acquiring)
    default: return 0
    }
  }

  /// The driver writes the low `width` bytes of `value` at `offset`.
  package func write(_ value: UInt32, offset: UInt64, width: Int) {
    if offset >= Register.configuration {
      let place = offset &- Register.configuration
      guard status.contains(.driver), place < UInt64(device.configuration.count) else { return }
      device.writeConfiguration(value, at: Int(place), width: width)
      return showConfiguration()
    }
    guard width == 4 else { return }
    defer { if offset != Register.queueNotify { showRegisters() } }
    switch offset {
    case Register.deviceFeaturesSelect: deviceFeaturesWord = value
    case Register.driverFeaturesSelect: driverFeaturesWord = value
    case Register.driverFeatures: accept(value)
    case Register.queueSelect: selectedQueue = value
    case Register.sharedMemorySelect: selectedSharedMemory = value
    case Register.queueNotify: owner.notified(queue: value)
    case Register.interruptAcknowledge: interrupt.acknowledge(value)
    case Register.status: setStatus(DeviceStatus(rawValue: value))
    default: configureQueue(offset, value)
    }
  }

  /// Marks the device as broken by its driver until the next reset (2.1.2).
  package func needsReset() {
    isBroken.store(true, ordering: .releasing)
    showStatus()
    interrupt.signalConfiguration()
  }

  /// Tells the driver that the configuration has changed (2.5.1).
  package func configurationChanged() {
    _ = generation.wrappingAdd(1, ordering: .acquiringAndReleasing)
    showConfiguration()
    interrupt.signalConfiguration()
  }

  private var visibleStatus: UInt32 {
    status.union(isBroken.load(ordering: .acquiring) ? .needsReset : []).rawValue
  }

  /// Shows what depends on the driver's writes; nearly all of it on few of them, but those are few too.
  private func showRegisters() {
    guard let shown else { return }
    for offset in stride(from: 0, to: Register.configuration, by: 4) {
      switch offset {
      case Register.status, Register.interruptStatus, Register.generation: break
      default: shown.store(read(offset: offset, width: 4), at: offset)
      }
    }
    showStatus()
  }

  private func showStatus() { shown?.store(at: Register.status) { visibleStatus } }

  private func showConfiguration() {
    guard let shown else { return }
    for place in stride(from: 0, to: UInt64(device.configuration.count), by: 4) {
      shown.store(at: Register.configuration + place) { configurationWord(place) }
    }
    shown.store(at: Register.generation) { generation.load(ordering: .acquiring) }
  }

  /// Four bytes of the configuration, zero behind its end.
  private func configurationWord(_ place: UInt64) -> UInt32 {
    var value: UInt32 = 0
    for byte in 0..<UInt64(4) { value |= readConfiguration(place + byte, 1) << (8 * UInt32(byte)) }
    return value
  }

  private var selected: VirtQueue? {
    selectedQueue < UInt32(queues.count) ? queues[Int(selectedQueue)] : nil
  }

  private var sharedMemory: Range<UInt64>? { device.sharedMemory(selectedSharedMemory) }

  /// All ones where there is no such region (4.2.2.1).
  private var sharedMemoryLength: UInt64 { sharedMemory.map { $0.upperBound - $0.lowerBound } ?? .max }

  private func low(_ value: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: value) }
  private func high(_ value: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: value >> 32) }

  private func word(_ features: Features, _ index: UInt32) -> UInt32 {
    switch index {
    case 0: UInt32(truncatingIfNeeded: features.rawValue)
    case 1: UInt32(truncatingIfNeeded: features.rawValue >> 32)
    default: 0
    }
  }

  private func accept(_ value: UInt32) {
    guard !status.contains(.featuresOK), driverFeaturesWord < 2 else { return }
    let shift = 32 * UInt64(driverFeaturesWord)
    let others = accepted.rawValue & ~(0xffff_ffff << shift)
    accepted = Features(rawValue: others | UInt64(value) << shift)
  }

  private func configureQueue(_ offset: UInt64, _ value: UInt32) {
    // A live queue keeps its shape until the reset.
    guard let queue = selected, !status.contains(.driverOK) else { return }
    switch offset {
    case Register.queueSize: queue.size = UInt16(clamping: value)
    case Register.queueReady: queue.isReady = value & 1 == 1
    case Register.descriptorTable: setLow(&queue.layout.descriptorTable, value)
    case Register.descriptorTable + 4: setHigh(&queue.layout.descriptorTable, value)
    case Register.availableRing: setLow(&queue.layout.availableRing, value)
    case Register.availableRing + 4: setHigh(&queue.layout.availableRing, value)
    case Register.usedRing: setLow(&queue.layout.usedRing, value)
    case Register.usedRing + 4: setHigh(&queue.layout.usedRing, value)
    default: break
    }
  }

  /// Steps of the initialization sequence (3.1.1).
  private func setStatus(_ new: DeviceStatus) {
    if new.isEmpty { return reset() }
    var next = new.subtracting(.needsReset).union(status)
    if next.contains(.featuresOK), !status.contains(.featuresOK) {
      // 2.2.2, 6.2: what was not offered, or a driver older than version 1, is refused by leaving the bit clear.
      if !accepted.isSubset(of: offered) || !accepted.contains(.version1) { next.remove(.featuresOK) }
    }
    if next.contains(.driverOK), !status.contains(.driverOK) {
      guard next.contains(.featuresOK) else { return }
      status = next
      return start()
    }
    status = next
  }

  private func start() {
    do throws(QueueFault) {
      for queue in queues { try queue.activate(memory, features: accepted) }
    } catch {
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
    selectedSharedMemory = 0
    deviceFeaturesWord = 0
    driverFeaturesWord = 0
  }

  private func readConfiguration(_ offset: UInt64, _ width: Int) -> UInt32 {
    let bytes = device.configuration
    guard offset < UInt64(bytes.count), width <= bytes.count - Int(offset) else { return 0 }
    var value: UInt32 = 0
    for index in 0..<min(width, 4) { value |= UInt32(bytes[Int(offset) + index]) << (8 * UInt32(index)) }
    return value
  }

  private func setLow(_ address: inout GuestAddress, _ value: UInt32) {
    address = address & 0xffff_ffff_0000_0000 | UInt64(value)
  }

  private func setHigh(_ address: inout GuestAddress, _ value: UInt32) {
    address = address & 0xffff_ffff | UInt64(value) << 32
  }
}

/// Offsets of Virtio 1.2, table 4.1.
private enum Register {
  static let magic: UInt64 = 0x000
  static let version: UInt64 = 0x004
  static let deviceID: UInt64 = 0x008
  static let vendorID: UInt64 = 0x00c
  static let deviceFeatures: UInt64 = 0x010
  static let deviceFeaturesSelect: UInt64 = 0x014
  static let driverFeatures: UInt64 = 0x020
  static let driverFeaturesSelect: UInt64 = 0x024
  static let queueSelect: UInt64 = 0x030
  static let queueSizeMaximum: UInt64 = 0x034
  static let queueSize: UInt64 = 0x038
  static let queueReady: UInt64 = 0x044
  static let queueNotify: UInt64 = MMIOTransport.queueNotifyOffset
  static let interruptStatus: UInt64 = MMIOTransport.interruptStatusOffset
  static let interruptAcknowledge: UInt64 = MMIOTransport.interruptAcknowledgeOffset
  static let status: UInt64 = 0x070
  static let descriptorTable: UInt64 = 0x080
  static let availableRing: UInt64 = 0x090
  static let usedRing: UInt64 = 0x0a0
  static let sharedMemorySelect: UInt64 = 0x0ac
  static let sharedMemoryLength: UInt64 = 0x0b0
  static let sharedMemoryBase: UInt64 = 0x0b8
  static let generation: UInt64 = 0x0fc
  static let configuration: UInt64 = 0x100
}

/// What a transport asks of the machine around it.
package protocol TransportOwner: QueueNotifier {
  /// Runs `body` where the device runs, so that neither sees the other half-way, and returns when it has ended.
  func withDevice(_ body: () -> Void)
  /// The queues are live: begin to serve notifications.
  func started()
  /// Returns only once no thread works on the device's queues any more.
  func stopped()
}

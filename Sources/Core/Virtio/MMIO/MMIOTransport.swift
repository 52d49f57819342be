import GuestMemory
import State

/// A device behind a page of registers, version 2 (Virtio 1.2, 4.2.2).
///
/// Accesses to the interrupt registers may overlap with others, since they are atomic: a driver acknowledges an interrupt on
/// one vCPU while the device is busy on a queue.
package final class MMIOTransport: Transport {
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

  package let interrupt: MMIOInterrupt

  private var selectedSharedMemory: UInt32 = 0
  private let shown: ShownRegisters?

  /// - Parameters:
  ///   - line: the interrupt of the device, as its driver was told.
  ///   - owner: starts and stops the threads that work on the queues.
  ///   - shown: where the driver reads, if not by `read`.
  package init(
    _ device: any VirtioDevice, memory: GuestMemory, line: any InterruptLine, owner: any TransportOwner,
    shown: ShownRegisters? = nil
  ) {
    self.shown = shown
    interrupt = MMIOInterrupt(line: line, shown: shown)
    super.init(device, memory: memory, interrupt: interrupt, owner: owner)
    showRegisters()
    contentsChanged()
  }

  /// The driver reads `width` bytes (1, 2 or 4) at `offset`.
  package func read(offset: UInt64, width: Int) -> UInt32 {
    if offset >= Register.configuration { return readDevice(at: offset &- Register.configuration, width: width) }
    // 4.2.2.2: registers are accessed as aligned 32-bit words.
    guard width == 4 else { return 0 }
    switch offset {
    case Register.magic: return 0x7472_6976
    case Register.version: return 2
    case Register.deviceID: return device.id
    case Register.vendorID: return 0x6d76_6f6e
    case Register.deviceFeatures: return offeredWord
    case Register.queueSizeMaximum: return UInt32(selected?.maximumSize ?? 0)
    case Register.queueReady: return selected?.isReady == true ? 1 : 0
    case Register.interruptStatus: return interrupt.status
    case Register.status: return visibleStatus
    case Register.sharedMemoryLength: return sharedMemoryLength.low
    case Register.sharedMemoryLength + 4: return sharedMemoryLength.high
    case Register.sharedMemoryBase: return (sharedMemory?.lowerBound ?? .max).low
    case Register.sharedMemoryBase + 4: return (sharedMemory?.lowerBound ?? .max).high
    case Register.generation: return generation
    default: return 0
    }
  }

  /// The driver writes the low `width` bytes of `value` at `offset`.
  package func write(_ value: UInt32, offset: UInt64, width: Int) {
    if offset >= Register.configuration {
      return writeDevice(value, at: offset &- Register.configuration, width: width)
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

  /// Shows what depends on the driver's writes; nearly all of it on few of them, but those are few too.
  private func showRegisters() {
    guard let shown else { return }
    for offset in stride(from: 0, to: Register.configuration, by: 4) {
      switch offset {
      case Register.status, Register.interruptStatus, Register.generation: break
      default: shown.store(read(offset: offset, width: 4), at: offset)
      }
    }
    statusChanged()
  }

  override func statusChanged() { shown?.store(at: Register.status) { visibleStatus } }

  override func contentsChanged() {
    guard let shown else { return }
    for place in stride(from: 0, to: UInt64(device.configuration.count), by: 4) {
      shown.store(at: Register.configuration + place) { configurationWord(place) }
    }
    shown.store(at: Register.generation) { generation }
  }

  /// Four bytes of the configuration, zero behind its end.
  private func configurationWord(_ place: UInt64) -> UInt32 {
    var value: UInt32 = 0
    for byte in 0..<UInt64(4) { value |= readDevice(at: place + byte, width: 1) << (8 * UInt32(byte)) }
    return value
  }

  override func registersReset() { selectedSharedMemory = 0 }

  // MARK: State

  private enum Field {
    static let interruptStatus: UInt16 = 64
    static let selectedSharedMemory: UInt16 = 65
  }

  override var stateKind: UInt8 { 1 }

  override func saveRegisters(to fields: inout FieldWriter) {
    fields.put(Field.interruptStatus, interrupt.status)
    fields.put(Field.selectedSharedMemory, selectedSharedMemory)
  }

  override func restoreRegisters(from fields: inout FieldReader) throws(StateError) {
    interrupt.restore(try fields.number(Field.interruptStatus, in: 0...3))
    selectedSharedMemory = try fields.number(Field.selectedSharedMemory)
  }

  override func registersRestored() { showRegisters() }

  private var sharedMemory: Range<UInt64>? { device.sharedMemory(selectedSharedMemory) }

  /// All ones where there is no such region (4.2.2.1).
  private var sharedMemoryLength: UInt64 { sharedMemory.map { $0.upperBound - $0.lowerBound } ?? .max }

  private func configureQueue(_ offset: UInt64, _ value: UInt32) {
    guard let queue = changeableQueue else { return }
    switch offset {
    case Register.queueSize: queue.size = UInt16(clamping: value)
    case Register.queueReady: queue.isReady = value & 1 == 1
    case Register.descriptorTable: queue.layout.descriptorTable.low = value
    case Register.descriptorTable + 4: queue.layout.descriptorTable.high = value
    case Register.availableRing: queue.layout.availableRing.low = value
    case Register.availableRing + 4: queue.layout.availableRing.high = value
    case Register.usedRing: queue.layout.usedRing.low = value
    case Register.usedRing + 4: queue.layout.usedRing.high = value
    default: break
    }
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

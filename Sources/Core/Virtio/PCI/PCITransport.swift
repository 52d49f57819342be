import GuestMemory
import LittleEndian
import PCI
import State

/// A device as a function of a PCI bus (Virtio 1.2, 4.1), without what older drivers knew: all registers lie in one region,
/// and memory that device and driver share in another.
///
/// Accesses may have any width and place. What the specification does not have drivers do, reads as zero and changes nothing.
package final class PCITransport: Transport, PCIFunction {
  /// Where the registers are.
  package static let registers = BaseAddress(index: 0, size: 0x4000)

  /// The region shared with the driver, if the device has one.
  package let sharedMemory: BaseAddress?

  let interrupt: PCIInterrupt
  private var space: ConfigurationSpace
  private let messageControl: Int
  private let window: ConfigurationWindow

  /// - Parameters:
  ///   - address: of the registers, until software puts them elsewhere. Shared memory begins where the device has it.
  ///   - sink: takes the messages of interrupts.
  ///   - owner: starts and stops the threads that work on the queues.
  package init(
    _ device: any VirtioDevice, memory: GuestMemory, address: UInt64, sink: any MessageSink,
    owner: any TransportOwner
  ) {
    let queueCount = device.queueSizes.count
    // One for each queue and one for the configuration, as many as there is room for.
    let table = MSIXTable(count: min(queueCount + 1, Place.tableSize / MSIXTable.entrySize), sink: sink)
    interrupt = PCIInterrupt(queueCount: queueCount, table: table)

    var space = ConfigurationSpace(.virtio(device.id))
    space.add(Self.registers, at: address)
    let (body, writable) = table.capability(
      region: Self.registers.index, table: UInt32(Place.table), pending: UInt32(Place.pending))
    messageControl = 2 + space.add(capability: MSIXTable.capabilityID, body, writable: writable)
    let registers = Self.registers.index
    let notificationSize = UInt64(queueCount) * Place.notificationDistance
    space.add(
      VirtioCapability(kind: .common, region: registers, offset: Place.common, length: Self.commonSize))
    space.add(
      VirtioCapability(kind: .interruptStatus, region: registers, offset: Place.interruptStatus, length: 1))
    space.add(
      VirtioCapability(
        kind: .notifications, region: registers, offset: Place.notifications, length: notificationSize,
        further: [UInt32(Place.notificationDistance)]))
    // 4.1.4.6.1: there is one where there is a configuration.
    if !device.configuration.isEmpty {
      space.add(
        VirtioCapability(
          kind: .device, region: registers, offset: Place.configuration, length: UInt64(device.configuration.count)))
    }
    // A device has one such region so far, with the number 0.
    if let shared = device.sharedMemory(0) {
      let length = shared.upperBound - shared.lowerBound
      let region = BaseAddress(index: 2, size: Self.sharedMemorySize(length), is64Bit: true)
      space.add(region, at: shared.lowerBound)
      // The upper halves of offset and length follow (4.1.4.7).
      space.add(
        VirtioCapability(
          kind: .sharedMemory, region: region.index, offset: 0, length: length, further: [0, length.high]))
      sharedMemory = region
    } else {
      sharedMemory = nil
    }
    window = ConfigurationWindow(in: &space)
    self.space = space
    super.init(device, memory: memory, interrupt: interrupt, owner: owner)
  }

  /// Bytes of the region that holds `length` bytes of shared memory, at a multiple of which it lies.
  package static func sharedMemorySize(_ length: UInt64) -> UInt64 {
    var size: UInt64 = 4096
    while size < length, size < 1 << 62 { size <<= 1 }
    return size
  }

  /// Where the queue is notified, from the beginning of the registers, by a write of any width: for an ioeventfd.
  package static func notifyOffset(queue: Int) -> UInt64 {
    Place.notifications + UInt64(queue) * Place.notificationDistance
  }

  /// Where software has put a region; nil while the function does not answer there.
  package func address(of region: BaseAddress) -> UInt64? { space.address(of: region) }

  // MARK: Configuration

  package func readConfiguration(at offset: Int, width: Int) -> UInt32 {
    if window.dataOverlaps(offset, width), let (place, count) = window.access(in: space) {
      window.setData(UInt32(truncatingIfNeeded: read(region: 0, at: place, width: count)), count, in: &space)
    }
    var value = space.read(at: offset, width: width)
    // The interrupt status (PCI Local Bus 3.0, 6.2.3), which tells of the pin that there is not (4.1.4.5.1).
    if offset == 4, width == 4, interrupt.hasReasons { value |= 1 << 19 }
    if offset == 6, interrupt.hasReasons { value |= 1 << 3 }
    return value
  }

  package func writeConfiguration(_ value: UInt32, at offset: Int, width: Int) {
    let control = space.read(at: messageControl, width: 2)
    let wasBusMaster = space.isBusMaster
    space.write(value, at: offset, width: width)
    // So a kernel keeps devices, which nobody has reset, from the memory of the one that it starts in its place (kexec). What was
    // never allowed is not forbidden: drivers without firmware forget it.
    if wasBusMaster, !space.isBusMaster { setStatus([]) }
    let newControl = space.read(at: messageControl, width: 2)
    if newControl != control { interrupt.table.setControl(UInt16(truncatingIfNeeded: newControl)) }
    if window.dataOverlaps(offset, width), let (place, count) = window.access(in: space) {
      write(UInt64(window.data(count, in: space)), region: 0, at: place, width: count)
    }
  }

  // MARK: State

  private enum Field {
    static let configuration: UInt16 = 64
    static let table: UInt16 = 65
    static let pending: UInt16 = 66
    static let vectors: UInt16 = 67
    static let interruptStatus: UInt16 = 68
  }

  override var stateKind: UInt8 { 2 }

  /// Of the configuration, then of each queue.
  private var vectorOwners: [Int?] { [nil] + queues.indices.map { $0 } }

  override func saveRegisters(to fields: inout FieldWriter) {
    fields.put(Field.configuration, space.contents)
    fields.put(Field.table, interrupt.table.contents)
    fields.put(Field.pending, interrupt.table.pending.map { $0 ? 1 : 0 })
    fields.put(Field.vectors, vectorOwners.flatMap { littleEndian(interrupt.vector(ofQueue: $0)) })
    fields.put(Field.interruptStatus, interrupt.unreadReasons)
  }

  override func restoreRegisters(from fields: inout FieldReader) throws(StateError) {
    let configuration = try fields.bytes(Field.configuration, limit: ConfigurationSpace.size)
    guard space.restore(configuration) else { throw fields.fault(Field.configuration) }
    let table = interrupt.table
    let words = try fields.bytes(Field.table, limit: table.count * MSIXTable.entrySize)
    let pending = try fields.bytes(Field.pending, limit: table.count)
    guard
      table.restore(words, pending: pending.map { $0 != 0 }, control: UInt16(space.read(at: messageControl, width: 2)))
    else { throw fields.fault(Field.table) }
    let vectors = try fields.bytes(Field.vectors, limit: 2 * vectorOwners.count)
    guard vectors.count == 2 * vectorOwners.count else { throw fields.fault(Field.vectors) }
    for (index, owner) in vectorOwners.enumerated() { interrupt.assign(vectors.field(at: 2 * index), toQueue: owner) }
    interrupt.unreadReasons = try fields.number(Field.interruptStatus, in: 0...3)
  }

  override func resumeInterrupts() { interrupt.table.deliverPending() }

  // MARK: Registers

  package func read(region: Int, at offset: UInt64, width: Int) -> UInt64 {
    guard region == Self.registers.index else { return 0 }
    switch offset {
    case Place.interruptStatus: return UInt64(interrupt.takeReasons())
    case Place.configuration..<Place.table:
      // 4.1.3.1: of the width of the field, at most 32 bits.
      return UInt64(readDevice(at: offset - Place.configuration, width: min(width, 4)))
    default:
      var value: UInt64 = 0
      for index in 0..<UInt64(min(max(width, 0), 8)) {
        let place = offset &+ index
        value |= UInt64(word(at: place & ~3) >> (8 * UInt32(place & 3)) & 0xff) << (8 * index)
      }
      return value
    }
  }

  package func write(_ value: UInt64, region: Int, at offset: UInt64, width: Int) {
    guard region == Self.registers.index else { return }
    if width == 8 {
      // A field of 64 bits, or two neighbours.
      write(UInt64(value.low), region: region, at: offset, width: 4)
      return write(UInt64(value.high), region: region, at: offset &+ 4, width: 4)
    }
    switch offset {
    case Place.common..<Place.configuration: writeCommon(value.low, at: offset - Place.common, width: width)
    case Place.configuration..<Place.table:
      writeDevice(value.low, at: offset - Place.configuration, width: width)
    case Place.table..<Place.table + UInt64(Place.tableSize):
      if width == 4, offset & 3 == 0 { interrupt.table.setWord(value.low, at: offset - Place.table) }
    case Place.notifications..<Self.registers.size:
      // By the address alone, as an ioeventfd.
      owner.notified(queue: UInt32((offset - Place.notifications) / Place.notificationDistance))
    default: break
    }
  }

  /// Four aligned bytes of whatever may be read in any way.
  private func word(at offset: UInt64) -> UInt32 {
    switch offset {
    case Place.common..<Place.configuration: commonWord(at: offset - Place.common)
    case Place.table..<Place.table + UInt64(Place.tableSize): interrupt.table.word(at: offset - Place.table)
    case Place.pending..<Place.interruptStatus: interrupt.table.pendingWord(at: offset - Place.pending)
    default: 0
    }
  }
}

/// Where things are in the registers' region.
private enum Place {
  static let common: UInt64 = 0
  static let configuration: UInt64 = 0x100
  static let table: UInt64 = 0x1000
  static let tableSize = 0x1000
  static let pending: UInt64 = 0x2000
  static let interruptStatus: UInt64 = 0x2800
  static let notifications: UInt64 = 0x3000
  /// Bytes from queue to queue.
  static let notificationDistance: UInt64 = 4
}

/// The common configuration (Virtio 1.2, 4.1.4.3): what the MMIO transport has as registers of its own.
extension PCITransport {
  /// Bytes of the structure.
  static let commonSize: UInt64 = 60

  /// Four bytes at `offset`, a multiple of 4. Reading changes nothing.
  func commonWord(at offset: UInt64) -> UInt32 {
    switch offset {
    case Field.deviceFeatureSelect: deviceFeaturesWord
    case Field.deviceFeature: offeredWord
    case Field.driverFeatureSelect: driverFeaturesWord
    case Field.driverFeature: acceptedWord
    case Field.configurationVector: pair(interrupt.vector(ofQueue: nil), UInt16(truncatingIfNeeded: queues.count))
    case Field.status: visibleStatus & 0xff | (generation & 0xff) << 8 | selectedQueue << 16
    default: selected.map { word(at: offset, of: $0) } ?? (offset == Field.queueSize ? noQueue : 0)
    }
  }

  /// The driver writes a whole field; anything else is not for it to do (4.1.3.1).
  func writeCommon(_ value: UInt32, at offset: UInt64, width: Int) {
    let half = UInt16(truncatingIfNeeded: value)
    switch (offset, width) {
    case (Field.deviceFeatureSelect, 4): deviceFeaturesWord = value
    case (Field.driverFeatureSelect, 4): driverFeaturesWord = value
    case (Field.driverFeature, 4): accept(value)
    case (Field.configurationVector, 2): interrupt.assign(half, toQueue: nil)
    case (Field.status, 1): setStatus(DeviceStatus(rawValue: value & 0xff))
    case (Field.queueSelect, 2): selectedQueue = UInt32(half)
    case (Field.queueVector, 2):
      if let queue = selected { interrupt.assign(half, toQueue: queue.index) }
    default: if let queue = changeableQueue { write(value, at: offset, width, of: queue) }
    }
  }

  private func word(at offset: UInt64, of queue: VirtQueue) -> UInt32 {
    switch offset {
    case Field.queueSize: pair(queue.size, interrupt.vector(ofQueue: queue.index))
    // The queue's own address for notifications is that of its number.
    case Field.queueEnable: pair(queue.isReady ? 1 : 0, UInt16(truncatingIfNeeded: queue.index))
    case Field.descriptorTable: queue.layout.descriptorTable.low
    case Field.descriptorTable + 4: queue.layout.descriptorTable.high
    case Field.availableRing: queue.layout.availableRing.low
    case Field.availableRing + 4: queue.layout.availableRing.high
    case Field.usedRing: queue.layout.usedRing.low
    case Field.usedRing + 4: queue.layout.usedRing.high
    default: 0
    }
  }

  private func write(_ value: UInt32, at offset: UInt64, _ width: Int, of queue: VirtQueue) {
    switch (offset, width) {
    case (Field.queueSize, 2): queue.size = UInt16(truncatingIfNeeded: value)
    // 4.1.4.3.2: a driver never writes 0.
    case (Field.queueEnable, 2): if value & 0xffff == 1 { queue.isReady = true }
    case (Field.descriptorTable, 4): queue.layout.descriptorTable.low = value
    case (Field.descriptorTable + 4, 4): queue.layout.descriptorTable.high = value
    case (Field.availableRing, 4): queue.layout.availableRing.low = value
    case (Field.availableRing + 4, 4): queue.layout.availableRing.high = value
    case (Field.usedRing, 4): queue.layout.usedRing.low = value
    case (Field.usedRing + 4, 4): queue.layout.usedRing.high = value
    default: break
    }
  }

  /// A queue that there is not: its size is 0, and it has no vector.
  private var noQueue: UInt32 { pair(0, PCIInterrupt.noVector) }

  private func pair(_ low: UInt16, _ high: UInt16) -> UInt32 { UInt32(low) | UInt32(high) << 16 }
}

/// Offsets (4.1.4.3).
private enum Field {
  static let deviceFeatureSelect: UInt64 = 0
  static let deviceFeature: UInt64 = 4
  static let driverFeatureSelect: UInt64 = 8
  static let driverFeature: UInt64 = 12
  /// With the number of queues behind it.
  static let configurationVector: UInt64 = 16
  /// With the configuration's generation behind it.
  static let status: UInt64 = 20
  static let queueSelect: UInt64 = 22
  static let queueSize: UInt64 = 24
  static let queueVector: UInt64 = 26
  /// With the place of notifications behind it.
  static let queueEnable: UInt64 = 28
  static let descriptorTable: UInt64 = 32
  static let availableRing: UInt64 = 40
  static let usedRing: UInt64 = 48
}

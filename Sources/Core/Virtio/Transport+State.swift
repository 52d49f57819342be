import State

/// A device behind its transport, in a machine's state (docs/state-format.md): what its driver has made of the registers, its
/// queues, and what the device itself remembers.
extension Transport {
  package static let tag = StateTag("vdev")
  package static let queueTag = StateTag("vque")
  package static let deviceTag = StateTag("devi")

  private enum Field {
    static let kind: UInt16 = 1
    static let device: UInt16 = 2
    static let queueCount: UInt16 = 3
    static let accepted: UInt16 = 4
    static let status: UInt16 = 5
    static let isRunning: UInt16 = 6
    static let isBroken: UInt16 = 7
    static let generation: UInt16 = 8
    static let deviceFeaturesWord: UInt16 = 9
    static let driverFeaturesWord: UInt16 = 10
    static let selectedQueue: UInt16 = 11
  }

  /// Which of a device's queues a section is about.
  private static func instance(_ place: UInt16, _ queue: Int) -> UInt32 { UInt32(place) << 16 | UInt32(queue) }

  /// Adds the device to a state. The machine is quiesced.
  ///
  /// - Parameter place: which of the machine's devices it is.
  /// - Throws: what the device says of why it cannot be saved.
  package final func save(to state: inout StateWriter, place: UInt16) throws(StateError) {
    var own = FieldWriter()
    try device.save(to: &own)
    var fields = FieldWriter()
    fields.put(Field.kind, stateKind)
    fields.put(Field.device, device.id)
    fields.put(Field.queueCount, UInt16(clamping: queues.count))
    fields.put(Field.accepted, accepted.rawValue)
    fields.put(Field.status, visibleStatus & ~DeviceStatus.needsReset.rawValue)
    fields.put(Field.isRunning, isRunning)
    fields.put(Field.isBroken, visibleStatus & DeviceStatus.needsReset.rawValue != 0)
    fields.put(Field.generation, generation)
    fields.put(Field.deviceFeaturesWord, deviceFeaturesWord)
    fields.put(Field.driverFeaturesWord, driverFeaturesWord)
    fields.put(Field.selectedQueue, selectedQueue)
    saveRegisters(to: &fields)
    state.add(Self.tag, instance: UInt32(place), fields)
    for queue in queues { state.add(Self.queueTag, instance: Self.instance(place, queue.index), queue.save()) }
    state.add(Self.deviceTag, instance: UInt32(place), own)
  }

  /// Makes the device, which nobody has touched yet, what it was. What is in guest memory is there already.
  package final func restore(from state: inout StateReader, place: UInt16) throws(StateError) {
    var fields = try state.require(Self.tag, instance: UInt32(place))
    guard try fields.number(Field.kind) == stateKind else { throw fields.fault(Field.kind) }
    guard try fields.number(Field.device) == device.id else { throw fields.fault(Field.device) }
    guard try fields.number(Field.queueCount) == queues.count.asField else { throw fields.fault(Field.queueCount) }
    let accepted = Features(rawValue: try fields.number(Field.accepted))
    let status = DeviceStatus(rawValue: try fields.number(Field.status))
    let isRunning = try fields.flag(Field.isRunning)
    let isBroken = try fields.flag(Field.isBroken)
    guard status.rawValue <= 0xff, !isRunning || status.isSuperset(of: [.driverOK, .featuresOK]) else {
      throw fields.fault(Field.status)
    }
    // A driver may have written what it was then refused.
    guard !status.contains(.featuresOK) || accepts(accepted) else { throw fields.fault(Field.accepted) }
    let generation: UInt32 = try fields.number(Field.generation)
    deviceFeaturesWord = try fields.number(Field.deviceFeaturesWord)
    driverFeaturesWord = try fields.number(Field.driverFeaturesWord)
    selectedQueue = try fields.number(Field.selectedQueue)
    try restoreRegisters(from: &fields)
    try fields.finish()
    for queue in queues {
      var fields = try state.require(Self.queueTag, instance: Self.instance(place, queue.index))
      try queue.restore(from: &fields) { () throws(QueueFault) in try activate(queue, accepted) }
      try fields.finish()
      // Those of a device that does not run have no rings, nor anybody who would serve them.
      guard isRunning || !queue.isLive else { throw fields.fault(0) }
    }
    var own = try state.require(Self.deviceTag, instance: UInt32(place))
    var failure: StateError?
    owner.withDevice {
      if isRunning { device.start(queues, features: accepted) }
      do throws(StateError) { try device.restore(from: &own, queues) } catch { failure = error }
    }
    if let failure { throw failure }
    try own.finish()
    for queue in queues where !queue.isWhole {
      // Chains that were no requests, and had the device need a reset, are under way, and none of the device's.
      guard isBroken else { throw own.fault(0) }
      queue.loseChains()
    }
    let isFaulty = queues.contains { $0.lostChains }
    become(accepted, status, isRunning: isRunning, isBroken: isBroken || isFaulty, generation: generation)
  }

  /// Once the whole machine is restored, and its interrupt controllers: has the driver look at its device and its queues, and its
  /// queues served. Each may have waited for something that was told to what the machine was before; and that the device
  /// needs a reset, which it may do only since then, nobody has told yet.
  package final func wake() {
    guard isRunning || visibleStatus & DeviceStatus.needsReset.rawValue != 0 else { return }
    resumeInterrupts()
    signalConfiguration()
    for queue in queues where queue.isLive {
      signal(queue)
      owner.notified(queue: UInt32(queue.index))
    }
  }
}

extension Int {
  fileprivate var asField: UInt16 { UInt16(clamping: self) }
}

internal import GuestMemory
internal import LittleEndian
package import State
internal import Synchronization
package import Virtio

/// A network card (Virtio 1.2, 5.1): pairs of a receive and a transmit queue, then the control queue.
///
/// Frames pass between the guest's memory and the backend without a stop in between. Both directions push back: frames
/// that the guest has no buffers for stay with the host, frames that the host does not take stay in the guest's
/// buffers.
package final class NetworkDevice: VirtioDevice {
  /// The most pairs of queues; more than any guest has processors.
  package static let pairLimit = 64
  /// The most that a frame can be, with its header: an IP packet, Ethernet header and VLAN tag (5.1.6.3.1).
  package static let frameLimit = NetworkHeader.size + 65535 + 18
  /// The least that an Ethernet frame can be, with its header.
  static let frameMinimum = NetworkHeader.size + 14
  private static let turn = Turn(requests: 256)
  /// Frames after which the driver is told, though there may be more.
  private static let interruptBatch = 64

  package let id: UInt32 = 1
  package let features: Features
  package let queueSizes: [UInt16]
  // A frame in pages and whatever else its sender has of it (Linux: MAX_SKB_FRAGS, 17 to 45), or a table of addresses.
  package let requestLimit = RequestLimit(descriptors: 64, bytes: 256 << 10)

  private let backend: any NetworkBackend
  private let mtu: UInt16
  private let permanentAddress: UInt64
  // Read by the vCPUs' threads, with the configuration.
  private let address: Atomic<UInt64>
  private let isLinkUp = Atomic<Bool>(true)

  private let pairs: [NetworkPair]
  private var activePairs = 1
  /// What the driver takes of the host's frames by now.
  private var receiveOffloads: NetworkOffloads = []
  private var queues: [VirtQueue] = []
  private var accepted: Features = []
  private var filter = NetworkFilter()
  private var controlChain = DescriptorChain()
  private var rest: [GuestSlice] = []
  /// What the driver did wrong while the host's side was being served, kept for the next `process`.
  private var fault: QueueFault?

  /// - Parameters:
  ///   - address: the six bytes of the card's Ethernet address.
  ///   - mtu: the largest packet that the link carries, from 68 on.
  ///   - pairs: 1 to `pairLimit`, as many as the backend has.
  ///   - queueSize: a power of two.
  package init(
    address: [UInt8], mtu: UInt16, pairs: Int = 1, queueSize: UInt16 = 256, backend: any NetworkBackend
  ) {
    let pairs = min(max(pairs, 1), Self.pairLimit)
    self.backend = backend
    self.mtu = mtu
    permanentAddress = HardwareAddress.value(address)
    self.address = Atomic(HardwareAddress.value(address))
    var made: [NetworkPair] = []
    for index in 0..<pairs { made.append(NetworkPair(index)) }
    self.pairs = made
    queueSizes = [UInt16](repeating: queueSize, count: 2 * pairs) + [64]
    var features: Features = [
      .maximumTransmissionUnit, .hardwareAddress, .mergeableBuffers, .linkStatus, .controlQueue, .controlFilter,
      .controlExtraFilter, .controlHardwareAddress,
    ]
    if pairs > 1 { features.insert(.manyQueues) }
    let offloads = backend.offloads.consistent
    if !offloads.isEmpty { features.formUnion(offloads.features.union(.controlReceiveOffloads)) }
    self.features = features
  }

  /// 5.1.4: mac[6], le16 status, le16 max_virtqueue_pairs, le16 mtu.
  package var configuration: [UInt8] {
    var bytes = HardwareAddress.bytes(address.load(ordering: .relaxed))
    for field in [isLinkUp.load(ordering: .relaxed) ? 1 : 0, UInt16(pairs.count), mtu] {
      bytes.append(field: field)
    }
    return bytes
  }

  /// The link came or went; the transport's `configurationChanged` then tells the driver.
  package func setLink(isUp: Bool) { isLinkUp.store(isUp, ordering: .relaxed) }

  package func start(_ queues: [VirtQueue], features: Features) {
    self.queues = queues
    accepted = features
    setReceiveOffloads(NetworkOffloads(receivedWith: features))
    backend.setActivePairs(activePairs)
  }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    if let fault { throw fault }
    if queue.index == controlIndex { return try control(queue) }
    // A queue beyond the control queue of a driver that knows but one pair.
    guard queue.index / 2 < (accepted.contains(.manyQueues) ? pairs.count : 1) else { return }
    let pair = pairs[queue.index / 2]
    if queue.index & 1 == 0 { try receive(pair, queue) } else { try transmit(pair, queue) }
  }

  package func reset() {
    queues = []
    accepted = []
    filter = NetworkFilter()
    fault = nil
    activePairs = 1
    address.store(permanentAddress, ordering: .relaxed)
    for pair in pairs { pair.reset() }
  }

  /// There are frames for a pair, at least one.
  package func readable(pair index: Int) {
    pairs[index].isReadable = true
    serve(2 * index)
  }

  /// The host takes frames of a pair again.
  package func writable(pair index: Int) { serve(2 * index + 1) }

  /// Serves a queue outside `process`.
  private func serve(_ index: Int) {
    guard fault == nil, index < queues.count, index != controlIndex else { return }
    do throws(QueueFault) {
      try process(queues[index])
    } catch {
      fault = error
      _ = queues[index].requestService()
    }
  }

  /// 5.1.2: behind all pairs for a driver that knows of several, behind the first one for any other.
  private var controlIndex: Int { accepted.contains(.manyQueues) ? 2 * pairs.count : 2 }

  // MARK: To the guest

  /// Frames into the driver's buffers, for as long as there are both.
  private func receive(_ pair: NetworkPair, _ queue: VirtQueue) throws(QueueFault) {
    // 5.1.6.5.5.2: none on the queues that the driver has not asked for.
    guard pair.index < activePairs else { return }
    queue.disableNotifications()
    // Out of the pair for the time: of what an object holds, the language checks each access as the program runs.
    var buffers = ReceiveBuffers()
    swap(&buffers, &pair.buffers)
    defer {
      pair.buffers = buffers
      queue.notifyDriver()
    }
    var turn = Self.turn
    var frames = 0
    while pair.frame != nil || pair.isReadable {
      guard try take(pair, &buffers, queue) else {
        if queue.enableNotifications() { return }
        queue.disableNotifications()
        continue
      }
      guard pair.frame == nil else { continue }
      // Those that wait for the next frame are looked at with each.
      turn.spend(bytes: pair.expected, pieces: max(buffers.pieces.count, 1))
      if turn.isOver, queue.requestService() { return }
      frames += 1
      if frames % Self.interruptBatch == 0 { queue.notifyDriver() }
    }
  }

  /// Moves a frame one step on: into the first buffers, into as many as it needs, and back to the driver.
  ///
  /// - Returns: false if that takes more buffers than the driver has made available.
  private func take(
    _ pair: NetworkPair, _ buffers: inout ReceiveBuffers, _ queue: VirtQueue
  ) throws(QueueFault) -> Bool {
    let isMergeable = accepted.contains(.mergeableBuffers)
    if pair.frame == nil {
      // As many buffers as the last frames took, so that the host's kernel spreads this one too.
      while buffers.count == 0 || isMergeable && buffers.room < pair.expected {
        guard try buffers.takeOne(from: queue) else { break }
      }
      if buffers.count == 0 { return false }
      switch backend.receive(pair: pair.index, into: buffers.pieces) {
      case .blocked:
        pair.isReadable = false
        return true
      case .dropped:
        return true
      case .moved(let length):
        pair.expect(length)
        guard length >= Self.frameMinimum, length <= Self.frameLimit, accepts(buffers.pieces) else { return true }
        pair.frame = length
        pair.filled = min(length, buffers.room)
      }
    }
    guard let length = pair.frame else { return true }
    while buffers.room < length {
      // Where the driver cannot give more, frames of this length are not for it.
      guard isMergeable, buffers.count < Int(queue.size) else {
        pair.frame = nil
        return true
      }
      guard try buffers.takeOne(from: queue) else { return false }
    }
    if pair.filled < length {
      rest.removeAll(keepingCapacity: true)
      buffers.pieces.forEachPiece(from: pair.filled, count: length - pair.filled) { rest.append($0) }
      backend.copyReceived(pair: pair.index, from: pair.filled, into: rest)
    }
    let used = buffers.buffers(holding: length)
    NetworkHeader.setBufferCount(used, buffers.pieces)
    buffers.complete(used, holding: length, to: queue)
    pair.frame = nil
    return true
  }

  private func accepts(_ frame: [GuestSlice]) -> Bool {
    // The guest may have changed it meanwhile: then it gets a frame too many or too few.
    guard !filter.isPromiscuous, let destination = HardwareAddress.load(frame, at: NetworkHeader.size) else {
      return true
    }
    return filter.accepts(destination, own: address.load(ordering: .relaxed))
  }

  // MARK: To the host

  /// Frames from the driver's buffers, for as long as the host takes them.
  private func transmit(_ pair: NetworkPair, _ queue: VirtQueue) throws(QueueFault) {
    queue.disableNotifications()
    // As above.
    var output = DescriptorChain()
    swap(&output, &pair.output)
    defer {
      pair.output = output
      queue.notifyDriver()
    }
    var turn = Self.turn
    var frames = 0
    while true {
      if !pair.holdsOutput {
        guard try queue.pop(&output) else {
          if queue.enableNotifications() { return }
          queue.disableNotifications()
          continue
        }
        guard output.writable.isEmpty, output.readableCount >= NetworkHeader.size else { throw .request }
        pair.holdsOutput = true
      }
      let isFrame = (Self.frameMinimum...Self.frameLimit).contains(output.readableCount)
      if isFrame, backend.send(pair: pair.index, output.readable) == .blocked { return }
      queue.push(head: output.head)
      pair.holdsOutput = false
      turn.spend(output)
      if turn.isOver, queue.requestService() { return }
      frames += 1
      if frames % Self.interruptBatch == 0 { queue.notifyDriver() }
    }
  }

  // MARK: Control

  private func control(_ queue: VirtQueue) throws(QueueFault) {
    try queue.drain(&controlChain) { chain throws(QueueFault) in
      guard chain.writableCount >= 1, chain.readableCount >= NetworkCommand.headerSize else { throw .request }
      var isDone = false
      if chain.readableCount <= NetworkCommand.sizeLimit, let bytes = chain.readable.bytes(count: chain.readableCount),
        let command = NetworkCommand(bytes)
      {
        isDone = obey(command)
      }
      chain.writable.copy(from: [isDone ? NetworkCommand.ok : NetworkCommand.error])
      return 1
    }
  }

  /// - Returns: false for what was not negotiated or makes no sense; nothing has changed then.
  private func obey(_ command: NetworkCommand) -> Bool {
    switch command {
    case .filter(let which, let isOn):
      return set(which, isOn)
    case .addressTables(let data):
      return accepted.contains(.controlFilter) && filter.setTables(data)
    case .address(let new):
      guard accepted.contains(.controlHardwareAddress), !HardwareAddress.isMulticast(new) else { return false }
      address.store(new, ordering: .relaxed)
      return true
    case .pairs(let count):
      guard accepted.contains(.manyQueues), (1...pairs.count).contains(count) else { return false }
      setActivePairs(count)
      return true
    case .receiveOffloads(let bits):
      let offered = backend.offloads.consistent.features.intersection(accepted)
      let wanted = Features(rawValue: bits)
      guard accepted.contains(.controlReceiveOffloads), wanted.isSubset(of: offered) else { return false }
      setReceiveOffloads(NetworkOffloads(receivedWith: wanted))
      return true
    }
  }

  private func set(_ which: NetworkCommand.Switch, _ isOn: Bool) -> Bool {
    switch which {
    case .promiscuous, .allMulticast: guard accepted.contains(.controlFilter) else { return false }
    default: guard accepted.contains(.controlExtraFilter) else { return false }
    }
    switch which {
    case .promiscuous: filter.isPromiscuous = isOn
    case .allMulticast: filter.allMulticast = isOn
    case .allUnicast: filter.allUnicast = isOn
    case .noMulticast: filter.noMulticast = isOn
    case .noUnicast: filter.noUnicast = isOn
    case .noBroadcast: filter.noBroadcast = isOn
    }
    return true
  }

  private func setReceiveOffloads(_ offloads: NetworkOffloads) {
    receiveOffloads = offloads
    backend.setReceiveOffloads(offloads)
  }

  private func setActivePairs(_ count: Int) {
    let before = activePairs
    activePairs = count
    backend.setActivePairs(count)
    // What the host has for a pair that comes back is not announced again.
    for index in before..<max(before, count) { readable(pair: index) }
  }

  // MARK: State

  private enum Field {
    static let address: UInt16 = 1
    static let filter: UInt16 = 2
    static let unicast: UInt16 = 3
    static let multicast: UInt16 = 4
    static let activePairs: UInt16 = 5
    static let receiveOffloads: UInt16 = 6
    /// Of each buffer that waits for frames, in order: u16 pair, u16 head.
    static let buffers: UInt16 = 7
    /// Of each frame that the host has not taken: u16 pair, u16 head.
    static let output: UInt16 = 8
    static let isFaulty: UInt16 = 9
  }

  /// A frame that was received in part is lost, as frames may be: the link has its rest.
  package func save(to fields: inout FieldWriter) {
    var buffers: [UInt8] = []
    var output: [UInt8] = []
    for pair in pairs {
      for head in pair.buffers.heads { buffers += littleEndian(UInt16(pair.index)) + littleEndian(head) }
      if pair.holdsOutput { output += littleEndian(UInt16(pair.index)) + littleEndian(pair.output.head) }
    }
    fields.put(Field.address, address.load(ordering: .relaxed))
    fields.put(Field.filter, filter.switches)
    fields.put(Field.unicast, filter.unicastTable)
    fields.put(Field.multicast, filter.multicastTable)
    fields.put(Field.activePairs, UInt16(activePairs))
    fields.put(Field.receiveOffloads, receiveOffloads.rawValue)
    fields.put(Field.buffers, buffers)
    fields.put(Field.output, output)
    if fault != nil { fields.put(Field.isFaulty, true) }
  }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    address.store(try fields.number(Field.address, in: 0...HardwareAddress.broadcast), ordering: .relaxed)
    filter.switches = try fields.number(Field.filter)
    let limit = HardwareAddress.size * NetworkFilter.tableLimit
    let tables = (try fields.bytes(Field.unicast, limit: limit), try fields.bytes(Field.multicast, limit: limit))
    guard filter.restoreTables(tables.0, tables.1) else { throw fields.fault(Field.unicast) }
    activePairs = Int(try fields.number(Field.activePairs, in: 1...UInt16(pairs.count)))
    backend.setActivePairs(activePairs)
    let offloads = NetworkOffloads(rawValue: try fields.number(Field.receiveOffloads))
    guard offloads.isSubset(of: NetworkOffloads(receivedWith: accepted)) else {
      throw fields.fault(Field.receiveOffloads)
    }
    setReceiveOffloads(offloads)
    for (index, head) in try held(Field.buffers, &fields, most: Int(UInt16.max)) {
      try pairs[index].buffers.hold(head, of: queues[2 * index], fields.fault(Field.buffers))
    }
    for (index, head) in try held(Field.output, &fields, most: pairs.count) {
      let pair = pairs[index]
      guard !pair.holdsOutput else { throw fields.fault(Field.output) }
      pair.holdsOutput = try queues[2 * index + 1].walkAgain(head: head, &pair.output, fields.fault(Field.output))
      // A driver may have made it something else since.
      if pair.holdsOutput, !pair.output.writable.isEmpty || pair.output.readableCount < NetworkHeader.size {
        fault = .request
      }
    }
    if try fields.flag(Field.isFaulty, absent: false) {
      fault = .request
      // What the fault was is under way, and nowhere.
      for queue in queues where !queue.isWhole { queue.loseChains() }
    }
  }

  private func held(
    _ id: UInt16, _ fields: inout FieldReader, most: Int
  ) throws(StateError) -> [(pair: Int, head: UInt16)] {
    let bytes = try fields.bytes(id, limit: 4 * most)
    guard bytes.count % 4 == 0 else { throw fields.fault(id) }
    var held: [(pair: Int, head: UInt16)] = []
    for place in stride(from: 0, to: bytes.count, by: 4) {
      let index = Int(bytes.field(UInt16.self, at: place))
      guard index < pairs.count else { throw fields.fault(id) }
      held.append((pair: index, head: bytes.field(at: place + 2)))
    }
    return held
  }
}

internal import GuestMemory
internal import LittleEndian
package import State
package import Virtio

/// Stream sockets between guest and host (Virtio 1.2, 5.10).
///
/// Everything runs on one thread: the queues' and the endpoints'. Nothing here grows without bound: streams are counted,
/// each stream's backlog is bounded by the credit it gave, control packets are flags of their stream, and the guest's
/// packets stay in its queue while it does not take the answers.
package final class VsockDevice: VirtioDevice {
  package static let hostCID: UInt64 = 2
  package static let maximumStreams = 1024

  /// The most payload in one packet, as in Linux.
  private static let packetLimit = 64 << 10
  static let turn = Turn(requests: 256)
  /// Packets to the guest before it is told, so that it works while we do.
  private static let interruptBatch = 32
  /// Unsent resets beyond which the guest's packets wait.
  static let resetLimit = 128

  private static let receive = 0
  static let transmit = 1
  private static let event = 2

  package let id: UInt32 = 19
  /// VIRTIO_VSOCK_F_STREAM
  package let features = Features(rawValue: 1 << 0)
  package let queueSizes: [UInt16] = [128, 128, 16]
  // A packet with its header; Linux has one of up to 64 KiB in pages (MAX_SKB_FRAGS).
  package let requestLimit = RequestLimit(descriptors: 64, bytes: 128 << 10)
  package let guestCID: UInt64

  /// Who takes the guest's connections. Set before the driver starts.
  package var backend: (any VsockBackend)?

  var queues: [VirtQueue] = []
  /// What the driver did wrong, perhaps while an endpoint was being served; thrown by the next `process`.
  private var fault: QueueFault?

  var streams = VsockStreamTable()

  /// Streams with something to send, each once, served in turn.
  private var round = Round<VsockStream>()
  /// Resets for ports without a stream.
  var resets = Round<ResetNotice>()
  /// Packets of the guest wait until some resets are gone.
  var isTransmitStalled = false

  private var buffers = VsockBuffers()
  private var events = VsockEvents()
  var outbound = DescriptorChain()
  /// Payload buffers of what is at hand; a member so that no packet allocates.
  var pieces: [GuestSlice] = []

  package init(guestCID: UInt64) {
    self.guestCID = guestCID
    pieces.reserveCapacity(32)
  }

  /// 5.10.4: le64 guest_cid.
  package var configuration: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: guestCID >> (8 * UInt64($0))) } }

  package func start(_ queues: [VirtQueue], features: Features) { self.queues = queues }

  package func process(_ queue: VirtQueue) throws(QueueFault) {
    if let fault { throw fault }
    do throws(QueueFault) {
      switch queue.index {
      case Self.receive:
        try flush()
        if isTransmitStalled { try takePackets() }
      case Self.transmit: try takePackets()
      default:
        guard try events.advance(queue) else { break }
        try flush()
        if isTransmitStalled { try takePackets() }
      }
    } catch {
      fail(error)
      throw error
    }
  }

  package func reset() {
    disconnect()
    queues = []
    fault = nil
  }

  // MARK: State

  private enum Field {
    static let buffers: UInt16 = 1
    static let guestCID: UInt16 = 2
    static let eventBuffers: UInt16 = 3
    static let isFaulty: UInt16 = 4
  }

  /// Nothing of the streams, whose other ends are the host's: where the machine goes on there are none, and its guest is told.
  package func save(to fields: inout FieldWriter) {
    fields.put(Field.buffers, (0..<buffers.count).flatMap { littleEndian(buffers[$0].head) })
    fields.put(Field.guestCID, guestCID)
    fields.put(Field.eventBuffers, events.heads.flatMap { littleEndian($0) })
    fields.put(Field.isFaulty, fault != nil)
  }

  package func restore(from fields: inout FieldReader, _ queues: [VirtQueue]) throws(StateError) {
    // Its driver has read it, and does not look again.
    guard try fields.number(Field.guestCID) == guestCID else { throw fields.fault(Field.guestCID) }
    for head in try Self.heads(Field.buffers, VsockBuffers.capacity, in: &fields) {
      try buffers.hold(head, of: queues[Self.receive], fields.fault(Field.buffers))
    }
    for head in try Self.heads(Field.eventBuffers, VsockEvents.capacity, in: &fields) {
      try events.hold(head, of: queues[Self.event], fields.fault(Field.eventBuffers))
    }
    events.owe(queues[Self.event])
    if try fields.flag(Field.isFaulty, absent: false) {
      fault = .request
      // What the fault was is under way, and nowhere.
      for queue in queues where !queue.isWhole { queue.loseChains() }
    }
  }

  private static func heads(
    _ field: UInt16, _ limit: Int, in fields: inout FieldReader
  ) throws(StateError) -> [UInt16] {
    let bytes = try fields.bytes(field, limit: 2 * limit)
    guard bytes.count % 2 == 0 else { throw fields.fault(field) }
    return stride(from: 0, to: bytes.count, by: 2).map { bytes.field(at: $0) }
  }

  // MARK: The host's side

  /// Begins a connection to the guest; `endpoint` hears `opened`, or `close` if the guest refuses.
  ///
  /// - Returns: nil while the guest has no driver, or when there are too many streams.
  package func connect(toGuestPort port: UInt32, _ endpoint: any VsockEndpoint) -> VsockStream? {
    guard fault == nil, !queues.isEmpty, let hostPort = streams.takePort(for: port) else { return nil }
    let stream = streams.add(hostPort: hostPort, guestPort: port, phase: .requested)
    stream.endpoint = endpoint
    stream.owed = .request
    schedule(stream)
    serve()
    return stream
  }

  /// The host has something to read, or has ended.
  package func readable(_ stream: VsockStream) {
    stream.isReadable = true
    schedule(stream)
    serve()
  }

  /// The host takes data again.
  package func writable(_ stream: VsockStream) {
    guard !stream.backlog.isEmpty else { return }
    drainBacklog(stream)
    serve()
  }

  /// The host's end is gone: nothing takes data any more. What it sent before can still be read.
  package func hungUp(_ stream: VsockStream) {
    switch stream.phase {
    case .requested:
      // A request that never left needs no reset.
      if !stream.owed.contains(.request) { notifyReset(stream) }
      forget(stream)
    case .open, .forgotten:
      if !stream.guestReceives { stream.hostEnded = true }
      stream.isReadable = true
      turnDeaf(stream)
    }
    serve()
  }

  /// Streams that there are, for the sake of limits and tests.
  package var streamCount: Int { streams.count }
  /// Those that have something to send; each is one of those above.
  var scheduledCount: Int { round.count }

  /// Sends what can be sent, outside `process`.
  private func serve() {
    guard fault == nil, queues.count > Self.receive else { return }
    do throws(QueueFault) {
      try flush()
      if isTransmitStalled { try takePackets() }
    } catch {
      fail(error)
      _ = queues[Self.receive].requestService()
    }
  }

  // MARK: To the guest

  /// Fills the guest's buffers with packets, each stream's in turn, until one of both runs out.
  func flush() throws(QueueFault) {
    guard queues.count > Self.receive, !events.isPending else { return }
    let queue = queues[Self.receive]
    queue.disableNotifications()
    var turn = Self.turn
    var untold = 0
    defer { queue.notifyDriver() }
    while !resets.isEmpty || !round.isEmpty {
      try buffers.take(1, from: queue)
      if buffers.count == 0 {
        if queue.enableNotifications() { return }
        queue.disableNotifications()
        continue
      }
      let sent = try sendNext(queue, &turn)
      untold += sent
      if untold >= Self.interruptBatch {
        queue.notifyDriver()
        untold = 0
      }
      if turn.isOver, queue.requestService() { return }
    }
  }

  /// Sends what is next: a reset, a control packet or some data of a stream.
  ///
  /// - Returns: the number of packets; none if whoever was next had nothing after all.
  private func sendNext(_ queue: VirtQueue, _ turn: inout Turn) throws(QueueFault) -> Int {
    turn.spend(bytes: 0, pieces: 0)
    if let notice = resets.removeFirst() {
      var header = VsockHeader()
      header.operation = VsockHeader.Operation.reset
      header.type = notice.type
      send(&header, hostPort: notice.hostPort, guestPort: notice.guestPort, queue)
      return 1
    }
    guard let stream = round.removeFirst() else { return 0 }
    stream.isScheduled = false
    let sent = stream.owed.isEmpty ? try sendData(stream, queue, &turn) : sendControl(stream, queue)
    schedule(stream)
    return sent
  }

  /// The first control packet that is owed.
  private func sendControl(_ stream: VsockStream, _ queue: VirtQueue) -> Int {
    var header = VsockHeader()
    if stream.owed.contains(.request) {
      stream.owed.remove(.request)
      header.operation = VsockHeader.Operation.request
    } else if stream.owed.contains(.response) {
      stream.owed.remove(.response)
      header.operation = VsockHeader.Operation.response
    } else if stream.owed.contains(.shutdown) {
      stream.owed.remove(.shutdown)
      header.operation = VsockHeader.Operation.shutdown
      header.flags = stream.shutdownFlags
    } else if stream.owed.contains(.creditRequest) {
      stream.owed.remove(.creditRequest)
      header.operation = VsockHeader.Operation.creditRequest
    } else {
      header.operation = VsockHeader.Operation.creditUpdate
    }
    send(&header, stream, queue)
    // Both ways are over for the host; the guest still has to say so (5.10.6.5).
    if header.flags == VsockHeader.Shutdown.both { close(stream) }
    return 1
  }

  /// Data of the host, straight into the guest's buffers: one read for as many as the stream's share.
  private func sendData(
    _ stream: VsockStream, _ queue: VirtQueue, _ turn: inout Turn
  ) throws(QueueFault) -> Int {
    guard stream.wantsInput, let endpoint = stream.endpoint else { return 0 }
    var room = Int(stream.credit.sendable)
    guard room > 0 else {
      if !stream.askedForCredit {
        stream.askedForCredit = true
        stream.owed.insert(.creditRequest)
      }
      return 0
    }
    try buffers.take(max(VsockBuffers.capacity / (1 + round.count), 1), from: queue)
    pieces.removeAll(keepingCapacity: true)
    for index in 0..<buffers.count where room > 0 {
      let count = min(room, payloadRoom(index))
      buffers[index].writable.forEachPiece(from: VsockHeader.size, count: count) { pieces.append($0) }
      room -= count
    }
    switch endpoint.read(into: pieces) {
    case .moved(let count):
      let packets = sendData(stream, min(count, pieces.byteCount), queue)
      turn.spend(requests: packets, bytes: count, pieces: pieces.count)
      return packets
    case .blocked:
      stream.isReadable = false
    case .ended:
      endInput(of: stream)
    case .failed:
      endInput(of: stream)
      turnDeaf(stream)
    }
    return 0
  }

  /// Makes packets of `count` bytes that are in the guest's buffers already.
  private func sendData(_ stream: VsockStream, _ count: Int, _ queue: VirtQueue) -> Int {
    var left = count
    var packets = 0
    stream.credit.send(count)
    while left > 0 {
      let length = min(left, payloadRoom(0))
      var header = VsockHeader()
      header.operation = VsockHeader.Operation.data
      header.length = UInt32(length)
      send(&header, stream, queue)
      left -= length
      packets += 1
    }
    return packets
  }

  /// The most payload that a buffer takes.
  private func payloadRoom(_ index: Int) -> Int {
    min(buffers[index].writableCount - VsockHeader.size, Self.packetLimit)
  }

  private func send(_ header: inout VsockHeader, _ stream: VsockStream, _ queue: VirtQueue) {
    header.bufferAllocation = stream.credit.allocation
    header.forwardCount = stream.credit.announce()
    stream.owed.remove(.creditUpdate)  // Any packet is one.
    send(&header, hostPort: stream.hostPort, guestPort: stream.guestPort, queue)
  }

  /// Sends a packet whose payload, if any, is in the first buffer already.
  private func send(_ header: inout VsockHeader, hostPort: UInt32, guestPort: UInt32, _ queue: VirtQueue) {
    header.sourceCID = Self.hostCID
    header.destinationCID = guestCID
    header.sourcePort = hostPort
    header.destinationPort = guestPort
    header.store(into: buffers[0].writable)
    queue.push(buffers[0], written: VsockHeader.size + Int(header.length))
    buffers.removeFirst()
  }

  /// Puts a stream into the round if it has something to send.
  func schedule(_ stream: VsockStream) {
    guard !stream.isScheduled, stream.hasWork else { return }
    stream.isScheduled = true
    round.append(stream)
  }

  // MARK: To the host

  /// Gives the host more of what it did not take at once.
  func drainBacklog(_ stream: VsockStream) {
    guard let endpoint = stream.endpoint else { return }
    var outcome = VsockTransfer.moved(0)
    while !stream.backlog.isEmpty, case .moved = outcome {
      stream.backlog.consume { bytes in
        outcome = endpoint.write(bytes)
        guard case .moved(let count) = outcome else { return 0 }
        forwarded(stream, count)
        return count
      }
    }
    if outcome == .failed || outcome == .ended { return turnDeaf(stream) }
    if stream.backlog.isEmpty { backlogEmptied(stream) }
    schedule(stream)
  }

  private func backlogEmptied(_ stream: VsockStream) {
    if stream.phase == .forgotten {
      close(stream)
      streams.lingerEnded()
    } else if stream.guestShutdown == VsockHeader.Shutdown.both {
      abort(stream)
    } else if !stream.guestSends {
      stream.endpoint?.endOutput()
    }
  }

  func forwarded(_ stream: VsockStream, _ count: Int) {
    stream.credit.forward(count)
    if stream.credit.isAnnouncementDue { stream.owed.insert(.creditUpdate) }
  }

  // MARK: Ends

  private func endInput(of stream: VsockStream) {
    stream.isReadable = false
    stream.hostEnded = true
    stream.owed.insert(.shutdown)
  }

  /// The host takes nothing more: what waits for it is lost, and the guest hears of it.
  func turnDeaf(_ stream: VsockStream) {
    let isNews = !stream.hostDeaf
    stream.hostDeaf = true
    if !stream.backlog.isEmpty {
      forwarded(stream, stream.backlog.count)
      stream.backlog.removeAll()
      backlogEmptied(stream)
    }
    if isNews || stream.hostEnded, stream.phase == .open { stream.owed.insert(.shutdown) }
    schedule(stream)
  }

  /// Ends a stream with a reset.
  func abort(_ stream: VsockStream) {
    notifyReset(stream)
    forget(stream)
  }

  /// The guest knows a stream no more. It goes at once, or when the host has taken what the guest sent.
  func forget(_ stream: VsockStream) {
    guard stream.phase != .forgotten else { return }
    let lingers = !stream.backlog.isEmpty && stream.endpoint != nil
    streams.remove(stream, lingers: lingers)
    // Nobody takes it out otherwise while the guest has no buffers.
    if stream.isScheduled { round.removeAll { $0 === stream } }
    stream.isScheduled = false
    stream.phase = .forgotten
    stream.owed = []
    if !lingers { close(stream) }
  }

  /// Lets go of the host's end.
  private func close(_ stream: VsockStream) {
    let endpoint = stream.endpoint
    stream.endpoint = nil
    stream.isReadable = false
    stream.backlog.removeAll()
    endpoint?.close()
  }

  /// Answers a packet that belongs to no stream; a reset is never answered.
  func refuse(_ header: VsockHeader) {
    guard header.operation != VsockHeader.Operation.reset else { return }
    resets.append(ResetNotice(hostPort: header.destinationPort, guestPort: header.sourcePort, type: header.type))
  }

  private func notifyReset(_ stream: VsockStream) {
    resets.append(
      ResetNotice(hostPort: stream.hostPort, guestPort: stream.guestPort, type: VsockHeader.stream))
  }

  /// The driver broke the rules: nothing more until it resets the device.
  private func fail(_ fault: QueueFault) {
    disconnect()
    self.fault = fault
  }

  /// Without a driver there are no streams.
  private func disconnect() {
    for stream in streams.all { forget(stream) }
    round.removeAll()
    resets.removeAll()
    isTransmitStalled = false
    buffers.removeAll()
    events = VsockEvents()
  }

  func takePieces(of slices: [GuestSlice], from offset: Int, count: Int) {
    pieces.removeAll(keepingCapacity: true)
    slices.forEachPiece(from: offset, count: count) { pieces.append($0) }
  }
}

/// A reset for ports that have no stream.
struct ResetNotice {
  let hostPort: UInt32
  let guestPort: UInt32
  let type: UInt16
}

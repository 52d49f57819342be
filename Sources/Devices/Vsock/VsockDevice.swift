internal import GuestMemory
package import Virtio

/// Stream sockets between guest and host (Virtio 1.2, 5.10).
///
/// Everything runs on one thread: the queues' and the endpoints'. Nothing here grows without bound: streams are counted,
/// each stream's backlog is bounded by the credit it gave, control packets are flags of their stream, and the guest's
/// packets stay in its queue while it does not take the answers.
package final class VsockDevice: VirtioDevice {
  package static let hostCID: UInt64 = 2
  package static let maximumStreams = 1024

  /// Credit that each of the first streams gives the guest; enough that a bulk sender never waits.
  static let largeAllocation: UInt32 = 256 << 10
  static let largeAllocationStreams = 64
  /// Credit of further ones: one packet of Linux's largest size.
  static let smallAllocation: UInt32 = 64 << 10

  /// The most payload in one packet, as in Linux.
  private static let packetLimit = 64 << 10
  /// Packets before others on the thread get their turn.
  private static let batch = 256
  /// Packets to the guest before it is told, so that it works while we do.
  private static let interruptBatch = 32
  /// Unsent resets beyond which the guest's packets wait.
  private static let resetLimit = 128
  private static let firstEphemeralPort: UInt32 = 1 << 30

  private static let receive = 0
  private static let transmit = 1

  package let id: UInt32 = 19
  /// VIRTIO_VSOCK_F_STREAM
  package let features = Features(rawValue: 1 << 0)
  package let queueSizes: [UInt16] = [128, 128, 16]
  package let guestCID: UInt64

  /// Who takes the guest's connections. Set before the driver starts.
  package var backend: (any VsockBackend)?

  private var queues: [VirtQueue] = []
  /// What the driver did wrong, perhaps while an endpoint was being served; thrown by the next `process`.
  private var fault: QueueFault?

  private var streams: [UInt64: VsockStream] = [:]
  /// Streams that the guest has forgotten, with a backlog still to go out.
  private var lingering = 0
  private var nextPort = VsockDevice.firstEphemeralPort

  /// Streams with something to send, each once, served in turn.
  private var round = Round<VsockStream>()
  /// Resets for ports without a stream.
  private var resets = Round<ResetNotice>()
  /// Packets of the guest wait until some resets are gone.
  private var isTransmitStalled = false

  private var inbound = DescriptorChain()
  private var outbound = DescriptorChain()
  /// `inbound` has been taken from the queue and not been used yet.
  private var holdsInbound = false
  /// Payload buffers of the packet at hand; a member so that no packet allocates.
  private var pieces: [GuestSlice] = []

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
      default: break  // Buffers for events, of which there are none without migration.
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

  // MARK: The host's side

  /// Begins a connection to the guest; `endpoint` hears `opened`, or `close` if the guest refuses.
  ///
  /// - Returns: nil while the guest has no driver, or when there are too many streams.
  package func connect(toGuestPort port: UInt32, _ endpoint: any VsockEndpoint) -> VsockStream? {
    guard fault == nil, !queues.isEmpty, hasRoom, let hostPort = takePort(for: port) else { return nil }
    let stream = add(hostPort: hostPort, guestPort: port, phase: .requested)
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
  package var streamCount: Int { streams.count + lingering }

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

  /// Fills the guest's buffers with packets, one for each stream in turn, until one of both runs out.
  private func flush() throws(QueueFault) {
    guard queues.count > Self.receive else { return }
    let queue = queues[Self.receive]
    queue.disableNotifications()
    var budget = Self.batch
    var untold = 0
    defer { queue.notifyDriver() }
    while !resets.isEmpty || !round.isEmpty {
      if !holdsInbound {
        guard try queue.pop(&inbound) else {
          if queue.enableNotifications() { return }
          queue.disableNotifications()
          continue
        }
        guard inbound.writableCount > VsockHeader.size else { throw .request }
        holdsInbound = true
      }
      guard let written = nextPacket() else { continue }
      queue.push(inbound, written: written)
      holdsInbound = false
      untold += 1
      if untold == Self.interruptBatch {
        queue.notifyDriver()
        untold = 0
      }
      budget -= 1
      if budget <= 0, queue.requestService() { return }
    }
  }

  /// Puts the next packet into `inbound`.
  ///
  /// - Returns: its size, or nil if whoever was next had nothing after all.
  private func nextPacket() -> Int? {
    if let notice = resets.removeFirst() {
      var header = VsockHeader()
      header.operation = VsockHeader.Operation.reset
      header.type = notice.type
      return store(&header, hostPort: notice.hostPort, guestPort: notice.guestPort)
    }
    guard let stream = round.removeFirst() else { return nil }
    stream.isScheduled = false
    if stream.phase == .forgotten { return nil }
    let written = stream.owed.isEmpty ? data(stream) : control(stream)
    schedule(stream)
    return written
  }

  /// The first control packet that is owed.
  private func control(_ stream: VsockStream) -> Int {
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
    let written = store(&header, stream)
    // Both ways are over for the host; the guest still has to say so (5.10.6.5).
    if header.flags == VsockHeader.Shutdown.both { close(stream) }
    return written
  }

  /// Data of the host, straight into the guest's buffer.
  private func data(_ stream: VsockStream) -> Int? {
    guard stream.wantsInput, let endpoint = stream.endpoint else { return nil }
    let room = Int(stream.credit.sendable)
    guard room > 0 else {
      if !stream.askedForCredit {
        stream.askedForCredit = true
        stream.owed.insert(.creditRequest)
      }
      return nil
    }
    takePieces(of: inbound.writable, from: VsockHeader.size, count: min(room, Self.packetLimit))
    switch endpoint.read(into: pieces) {
    case .moved(let count):
      let count = min(count, pieces.byteCount)
      stream.credit.send(count)
      var header = VsockHeader()
      header.operation = VsockHeader.Operation.data
      header.length = UInt32(count)
      return store(&header, stream) + count
    case .blocked:
      stream.isReadable = false
    case .ended:
      endInput(of: stream)
    case .failed:
      endInput(of: stream)
      turnDeaf(stream)
    }
    return nil
  }

  private func store(_ header: inout VsockHeader, _ stream: VsockStream) -> Int {
    header.bufferAllocation = stream.credit.allocation
    header.forwardCount = stream.credit.announce()
    stream.owed.remove(.creditUpdate)  // Any packet is one.
    return store(&header, hostPort: stream.hostPort, guestPort: stream.guestPort)
  }

  private func store(_ header: inout VsockHeader, hostPort: UInt32, guestPort: UInt32) -> Int {
    header.sourceCID = Self.hostCID
    header.destinationCID = guestCID
    header.sourcePort = hostPort
    header.destinationPort = guestPort
    header.store(into: inbound.writable)
    return VsockHeader.size
  }

  /// Puts a stream into the round if it has something to send.
  private func schedule(_ stream: VsockStream) {
    guard !stream.isScheduled, stream.hasWork else { return }
    stream.isScheduled = true
    round.append(stream)
  }

  // MARK: From the guest

  /// Takes the guest's packets, then sends what they gave rise to.
  private func takePackets() throws(QueueFault) {
    guard queues.count > Self.transmit else { return }
    let queue = queues[Self.transmit]
    var budget = Self.batch
    isTransmitStalled = false
    repeat {
      queue.disableNotifications()
      while true {
        if resets.count >= Self.resetLimit {
          isTransmitStalled = true
          break
        }
        guard try queue.pop(&outbound) else { break }
        // Without a whole header there is nobody to answer.
        guard let header = VsockHeader(outbound.readable) else { throw .request }
        take(header)
        queue.push(outbound)
        budget -= 1
        if budget <= 0, queue.requestService() {
          queue.notifyDriver()
          return try flush()
        }
      }
      queue.notifyDriver()
      try flush()
      if isTransmitStalled, resets.count >= Self.resetLimit { return }  // The guest's buffers for them will bring us back.
      isTransmitStalled = false
    } while !queue.enableNotifications()
  }

  /// One packet of the guest, in `outbound`.
  private func take(_ header: VsockHeader) {
    guard header.sourceCID == guestCID else { return }  // A forged sender: nobody to answer.
    let key = VsockStream.key(hostPort: header.destinationPort, guestPort: header.sourcePort)
    guard header.destinationCID == Self.hostCID, header.type == VsockHeader.stream else { return refuse(header) }
    guard let stream = streams[key] else {
      return header.operation == VsockHeader.Operation.request ? accept(header) : refuse(header)
    }
    if header.operation == VsockHeader.Operation.reset { return forget(stream) }
    guard stream.credit.hear(allocation: header.bufferAllocation, forwarded: header.forwardCount) else {
      return abort(stream)
    }
    if stream.credit.sendable > 0 { stream.askedForCredit = false }
    switch (stream.phase, header.operation) {
    case (.requested, VsockHeader.Operation.response) where !stream.owed.contains(.request):
      stream.phase = .open
      stream.isReadable = true
      stream.endpoint?.opened(hostPort: stream.hostPort)
    case (.open, VsockHeader.Operation.data): takeData(stream, header)
    case (.open, VsockHeader.Operation.shutdown): shutDown(stream, header.flags)
    case (.open, VsockHeader.Operation.creditUpdate): break
    case (.open, VsockHeader.Operation.creditRequest): stream.owed.insert(.creditUpdate)
    default: return abort(stream)
    }
    schedule(stream)
  }

  /// The guest connects.
  private func accept(_ header: VsockHeader) {
    guard hasRoom, let backend else { return refuse(header) }
    let stream = add(hostPort: header.destinationPort, guestPort: header.sourcePort, phase: .open)
    guard stream.credit.hear(allocation: header.bufferAllocation, forwarded: header.forwardCount),
      let endpoint = backend.connect(stream, port: header.destinationPort)
    else {
      forget(stream)
      return refuse(header)
    }
    stream.endpoint = endpoint
    stream.isReadable = true
    stream.owed = .response
    schedule(stream)
  }

  private func takeData(_ stream: VsockStream, _ header: VsockHeader) {
    let count = Int(header.length)
    takePieces(of: outbound.readable, from: VsockHeader.size, count: count)
    guard stream.guestSends, pieces.byteCount == count, stream.credit.receive(header.length) else {
      return abort(stream)
    }
    if count == 0 { return }
    if stream.hostDeaf { return forwarded(stream, count) }
    var outcome = VsockTransfer.blocked
    if stream.backlog.isEmpty, let endpoint = stream.endpoint { outcome = endpoint.write(pieces) }
    switch outcome {
    case .moved(let moved):
      let moved = min(moved, count)
      forwarded(stream, moved)
      if moved == count { return }
      keep(stream, from: moved)
      // Room ends with `blocked`, not with a short transfer: only then will the endpoint speak up.
      drainBacklog(stream)
    case .blocked:
      keep(stream, from: 0)
    case .ended, .failed:
      forwarded(stream, count)
      turnDeaf(stream)
    }
  }

  /// Puts what the host did not take of the packet at hand behind the rest of its kind.
  private func keep(_ stream: VsockStream, from offset: Int) {
    pieces.forEachPiece(from: offset, count: .max) { stream.backlog.append($0) }
  }

  /// The guest will not send or not receive any more (5.10.6.5).
  private func shutDown(_ stream: VsockStream, _ flags: UInt32) {
    let news = flags & VsockHeader.Shutdown.both & ~stream.guestShutdown
    stream.guestShutdown |= news
    if stream.guestShutdown == VsockHeader.Shutdown.both {
      // An orderly end: what the guest has sent still goes out, even if the guest forgets the stream meanwhile.
      if stream.backlog.isEmpty { abort(stream) }
      return
    }
    if news & VsockHeader.Shutdown.receive != 0 { stream.endpoint?.endInput() }
    if news & VsockHeader.Shutdown.send != 0, stream.backlog.isEmpty { stream.endpoint?.endOutput() }
  }

  /// Gives the host more of what it did not take at once.
  private func drainBacklog(_ stream: VsockStream) {
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
      lingering -= 1
    } else if stream.guestShutdown == VsockHeader.Shutdown.both {
      abort(stream)
    } else if !stream.guestSends {
      stream.endpoint?.endOutput()
    }
  }

  private func forwarded(_ stream: VsockStream, _ count: Int) {
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
  private func turnDeaf(_ stream: VsockStream) {
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
  private func abort(_ stream: VsockStream) {
    notifyReset(stream)
    forget(stream)
  }

  /// The guest knows a stream no more. It goes at once, or when the host has taken what the guest sent.
  private func forget(_ stream: VsockStream) {
    guard stream.phase != .forgotten else { return }
    streams[stream.key] = nil
    stream.phase = .forgotten
    stream.owed = []
    if stream.backlog.isEmpty || stream.endpoint == nil { close(stream) } else { lingering += 1 }
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
  private func refuse(_ header: VsockHeader) {
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
    for stream in Array(streams.values) { forget(stream) }
    round.removeAll()
    resets.removeAll()
    isTransmitStalled = false
    holdsInbound = false
  }

  // MARK: Bookkeeping

  private var hasRoom: Bool { streamCount < Self.maximumStreams }

  private func add(hostPort: UInt32, guestPort: UInt32, phase: VsockStream.Phase) -> VsockStream {
    let allocation = streamCount < Self.largeAllocationStreams ? Self.largeAllocation : Self.smallAllocation
    let stream = VsockStream(hostPort: hostPort, guestPort: guestPort, phase: phase, allocation: allocation)
    streams[stream.key] = stream
    return stream
  }

  /// An unused port of the host, above those that services listen on.
  private func takePort(for guestPort: UInt32) -> UInt32? {
    for _ in 0...Self.maximumStreams {
      let port = nextPort
      nextPort = port < .max - 1 ? port + 1 : Self.firstEphemeralPort  // The last one means any port.
      if streams[VsockStream.key(hostPort: port, guestPort: guestPort)] == nil { return port }
    }
    return nil
  }

  private func takePieces(of slices: [GuestSlice], from offset: Int, count: Int) {
    pieces.removeAll(keepingCapacity: true)
    slices.forEachPiece(from: offset, count: count) { pieces.append($0) }
  }
}

/// A reset for ports that have no stream.
private struct ResetNotice {
  let hostPort: UInt32
  let guestPort: UInt32
  let type: UInt16
}

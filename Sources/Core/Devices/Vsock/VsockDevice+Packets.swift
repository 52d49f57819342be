internal import GuestMemory
internal import Virtio

/// The guest's packets.
extension VsockDevice {
  /// Takes the guest's packets, then sends what they gave rise to.
  func takePackets() throws(QueueFault) {
    guard queues.count > Self.transmit else { return }
    let queue = queues[Self.transmit]
    var turn = Self.turn
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
        turn.spend(outbound)
        if turn.isOver, queue.requestService() {
          queue.notifyDriver()
          return try flush()
        }
      }
      queue.notifyDriver()
      try flush()
      // The guest's buffers for the resets will bring us back.
      if isTransmitStalled, resets.count >= Self.resetLimit { return }
      isTransmitStalled = false
    } while !queue.enableNotifications()
  }

  /// One packet of the guest, in `outbound`.
  private func take(_ header: VsockHeader) {
    guard header.sourceCID == guestCID else { return }  // A forged sender: nobody to answer.
    guard header.destinationCID == Self.hostCID, header.type == VsockHeader.stream else { return refuse(header) }
    guard let stream = streams[header.destinationPort, header.sourcePort] else {
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
    guard streams.hasRoom, let backend else { return refuse(header) }
    let stream = streams.add(hostPort: header.destinationPort, guestPort: header.sourcePort, phase: .open)
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
}

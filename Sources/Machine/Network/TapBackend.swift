import Devices
import GuestMemory
import Host

/// A card's link by a tap of the host's: frames go between the guest's memory and the host's kernel, with all that
/// either side leaves undone. Everything here belongs to the event loop's thread.
final class TapBackend: NetworkBackend {
  let offloads: NetworkOffloads = [.checksum, .tcp4, .tcp6, .congestion]

  /// The device that it belongs to, which is made after it.
  var device: NetworkDevice?

  private let queues: [TapQueue]
  private let isOneOfMany: Bool
  private var lost: ((String) -> Void)?

  /// - Parameters:
  ///   - descriptors: the tap's queues, which never block.
  ///   - lost: called once, should the tap go away.
  init(_ descriptors: consuming [Int32], loop: EventLoop, lost: @escaping (String) -> Void) throws(Errno) {
    var queues: [TapQueue] = []
    for (index, number) in descriptors.enumerated() { queues.append(TapQueue(number, pair: index, loop)) }
    self.queues = queues
    isOneOfMany = queues.count > 1
    self.lost = lost
    for queue in queues {
      queue.backend = self
      try loop.add(queue.number, TapQueue.events, queue)
    }
  }

  func setReceiveOffloads(_ offloads: NetworkOffloads) {
    var taken: TapDevice.Offloads = []
    if offloads.contains(.checksum) { taken.insert(.checksum) }
    if offloads.contains(.tcp4) { taken.insert(.tcp4) }
    if offloads.contains(.tcp6) { taken.insert(.tcp6) }
    if offloads.contains(.congestion) { taken.insert(.congestion) }
    // One that is gone takes none.
    try? TapDevice.setOffloads(queues[0].number, taken)
  }

  func setActivePairs(_ count: Int) {
    guard isOneOfMany else { return }
    for (index, queue) in queues.enumerated() where queue.isEnabled != (index < count) {
      queue.isEnabled = index < count
      try? TapDevice.enable(queue.number, queue.isEnabled)
    }
  }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer { report(queues[pair].receive(into: slices)) }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    queues[pair].copyReceived(from: offset, into: slices)
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer { report(queues[pair].send(slices)) }

  private func report(_ outcome: TapQueue.Outcome) -> NetworkTransfer {
    switch outcome {
    case .transfer(let transfer): return transfer
    case .gone:
      lost?("the tap is gone")
      lost = nil
      return .blocked
    }
  }
}

/// One queue of a tap.
private final class TapQueue: EventHandler {
  enum Outcome {
    case transfer(NetworkTransfer)
    /// Somebody removed the interface.
    case gone
  }

  static let events: EventLoop.Events = [.readable, .edgeTriggered]

  let number: Int32
  var isEnabled = true
  var backend: TapBackend?

  private let descriptor: FileDescriptor
  private let pair: Int
  private let loop: EventLoop
  private var vectors = IOVectors()
  /// What a frame had beyond the guest's buffers, from its byte `direct` on.
  private var rest = [UInt8](repeating: 0, count: NetworkDevice.frameLimit)
  private var direct = 0
  private var waitsForRoom = false

  init(_ number: Int32, pair: Int, _ loop: EventLoop) {
    descriptor = FileDescriptor(owning: number)
    self.number = number
    self.pair = pair
    self.loop = loop
  }

  func ready(_ events: EventLoop.Events) {
    if waitsForRoom, !events.isDisjoint(with: [.writable, .error]) {
      waitsForRoom = false
      try? loop.modify(number, Self.events)
      backend?.device?.writable(pair: pair)
    }
    if !events.isDisjoint(with: [.readable, .error]) { backend?.device?.readable(pair: pair) }
  }

  func receive(into slices: [GuestSlice]) -> Outcome {
    do throws(Errno) {
      let (pieces, more) = try vectors.read(from: number, into: slices, rest: &rest)
      direct = pieces
      // More pieces than one call takes: the others get theirs from the rest.
      if more > 0 { copyReceived(from: pieces, into: tail(of: slices, from: pieces)) }
      return .transfer(.moved(pieces + more))
    } catch {
      return outcome(error)
    }
  }

  func copyReceived(from offset: Int, into slices: [GuestSlice]) {
    var position = offset - direct
    for slice in slices where position >= 0 { position += slice.copy(from: rest, at: position) }
  }

  func send(_ slices: [GuestSlice]) -> Outcome {
    do throws(Errno) {
      if slices.count > IOVectors.capacity {
        let bytes = slices.bytes(count: slices.byteCount) ?? []
        return .transfer(.moved(try descriptor.write(bytes)))
      }
      return .transfer(.moved(try vectors.write(slices, to: number)))
    } catch {
      if error == .wouldBlock, !waitsForRoom {
        waitsForRoom = true
        try? loop.modify(number, Self.events.union(.writable))
      }
      return outcome(error)
    }
  }

  private func tail(of slices: [GuestSlice], from offset: Int) -> [GuestSlice] {
    var tail: [GuestSlice] = []
    slices.forEachPiece(from: offset, count: .max) { tail.append($0) }
    return tail
  }

  private func outcome(_ error: Errno) -> Outcome {
    switch error {
    case .wouldBlock: .transfer(.blocked)
    case .badState where isEnabled: .gone
    // The guest's header made no sense (EINVAL), or the interface is down (EIO).
    default: .transfer(.dropped)
    }
  }
}

/// One access to the vectors for each frame, not for each of its pieces: all are checked as the program runs.
extension IOVectors {
  fileprivate mutating func read(
    from descriptor: Int32, into slices: [GuestSlice], rest: inout [UInt8]
  ) throws(Errno) -> (pieces: Int, rest: Int) {
    append(slices)
    return try read(from: descriptor, rest: &rest)
  }

  fileprivate mutating func write(_ slices: [GuestSlice], to descriptor: Int32) throws(Errno) -> Int {
    append(slices)
    return try write(to: descriptor)
  }

  private mutating func append(_ slices: [GuestSlice]) {
    // Guest RAM outlives the call.
    for slice in slices { unsafe append(slice.hostBytes) }
  }
}

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
  private var lost: (() -> Void)?

  /// - Parameters:
  ///   - descriptors: the tap's queues, which never block.
  ///   - lost: called once, should the tap go away.
  init(_ descriptors: consuming [Int32], loop: EventLoop, lost: @escaping () -> Void) throws(Errno) {
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

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer { queues[pair].receive(into: slices) }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    queues[pair].copyReceived(from: offset, into: slices)
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer { queues[pair].send(slices) }

  /// Somebody removed the interface.
  func lose() {
    lost?()
    lost = nil
  }
}

/// One queue of a tap.
private final class TapQueue: EventHandler {
  /// A frame of so many bytes is copied rather than read into the guest's buffers, once so many have come in a row: a call
  /// for pieces of memory costs more than such a copy.
  private static let smallSize = 512
  private static let smallRow = 4

  static let events: EventLoop.Events = [.readable, .edgeTriggered]

  let number: Int32
  var isEnabled = true
  var backend: TapBackend?

  private let descriptor: FileDescriptor
  private let pair: Int
  private let loop: EventLoop
  /// A byte more than a frame can have, so that the device sees of a longer one that it is.
  private let frames = FrameVectors(frameLimit: NetworkDevice.frameLimit + 1)
  /// Bytes of the frame taken last that went into the guest's buffers at once. The others are with `frames`.
  private var direct = 0
  /// Small frames that came since the last other one, up to `smallRow`.
  private var smallFrames = 0
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

  func receive(into slices: [GuestSlice]) -> NetworkTransfer {
    var room = 0
    let length: Int
    if smallFrames == Self.smallRow {
      length = frames.readRest(from: number)
    } else {
      let pieces = min(slices.count, FrameVectors.capacity)
      for index in 0..<pieces {
        // Guest RAM outlives the call.
        unsafe frames.set(index, slices[index].hostBytes)
        room += slices[index].count
      }
      length = frames.read(from: number, pieces: pieces)
    }
    if length < 0 { return failure(.current) }
    direct = room
    if length > Self.smallSize {
      smallFrames = 0
    } else if smallFrames < Self.smallRow {
      smallFrames += 1
    }
    // All of a small frame, and of any what more pieces than one call takes have room for.
    if length > room {
      var end = 0
      for slice in slices where end < length {
        if end >= room { _ = copyRest(from: end, into: slice.dropping(0, count: length - end)) }
        end += slice.count
      }
    }
    return .moved(length)
  }

  func copyReceived(from offset: Int, into slices: [GuestSlice]) {
    var position = offset
    for slice in slices where position >= direct { position += copyRest(from: position, into: slice) }
  }

  private func copyRest(from offset: Int, into slice: GuestSlice) -> Int {
    // Only the host's kernel may write to a window, and a frame there is nobody's loss.
    slice.isWindow ? slice.count : unsafe frames.copyRest(from: offset - direct, to: slice.hostBytes)
  }

  func send(_ slices: [GuestSlice]) -> NetworkTransfer {
    if slices.count > FrameVectors.capacity { return sendGathered(slices) }
    // As above.
    for index in slices.indices { unsafe frames.set(index, slices[index].hostBytes) }
    let length = frames.write(to: number, pieces: slices.count)
    return length < 0 ? sendFailure(.current) : .moved(length)
  }

  /// Sends a frame in more pieces than one call takes.
  private func sendGathered(_ slices: [GuestSlice]) -> NetworkTransfer {
    do throws(Errno) {
      return .moved(try descriptor.write(slices.bytes(count: slices.byteCount) ?? []))
    } catch {
      return sendFailure(error)
    }
  }

  private func sendFailure(_ error: Errno) -> NetworkTransfer {
    if error == .wouldBlock, !waitsForRoom {
      waitsForRoom = true
      try? loop.modify(number, Self.events.union(.writable))
    }
    return failure(error)
  }

  private func failure(_ error: Errno) -> NetworkTransfer {
    switch error {
    case .wouldBlock: return .blocked
    case .badState where isEnabled:
      backend?.lose()
      return .blocked
    // The guest's header made no sense (EINVAL), or the interface is down (EIO).
    default: return .dropped
    }
  }
}

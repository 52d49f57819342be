import Devices
import Egress
import GuestMemory
import Host

/// A link that lets only that through which a list grants. On the event loop's thread, as what it limits.
///
/// The guest may change a frame for as long as it lies in its memory, so what is looked at and what is sent is one copy; and
/// what comes in is the guest's only after it was looked at.
final class FilteredBackend: NetworkBackend {
  /// Answers that the guest has no buffers for are lost, as frames may be.
  private static let answerLimit = 64

  private let link: any NetworkBackend
  private var filter: EgressFilter
  private let mapping: MemoryMapping
  /// Room for a frame, of our own.
  private let room: GuestSlice
  private let memory: GuestMemory
  private var answers: [[UInt8]] = []
  /// The frame taken last, with its header.
  private var taken: [UInt8] = []
  private var timer: Timer?

  /// The device that it belongs to, which is made after it.
  var device: NetworkDevice?

  init(_ link: any NetworkBackend, _ filter: EgressFilter, loop: EventLoop) throws(Errno) {
    self.link = link
    self.filter = filter
    let page = 4096
    mapping = try MemoryMapping(anonymous: (NetworkDevice.frameLimit + page - 1) / page * page, pages: .small)
    // The mapping lives as long as this.
    memory = GuestMemory(regions: [unsafe GuestMemory.Region(base: 0, bytes: mapping.bytes)])
    guard let room = try? memory.slice(at: 0, count: NetworkDevice.frameLimit) else { throw Errno(12) }  // ENOMEM
    self.room = room
    timer = try Timer(loop) { [unowned self] in device?.readable(pair: 0) }
  }

  /// Frames are whole, or they could not be looked at.
  let offloads: NetworkOffloads = []

  func setReceiveOffloads(_ offloads: NetworkOffloads) { link.setReceiveOffloads([]) }
  func setActivePairs(_ count: Int) { link.setActivePairs(count) }

  var grants: GrantList {
    get { filter.grants }
    set { filter.grants = newValue }
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    let count = slices.byteCount
    guard let frame = slices.bytes(at: NetworkHeader.size, count: count - NetworkHeader.size) else { return .dropped }
    switch filter.outbound(frame.span, now: Timer.now) {
    case .pass:
      let whole = [room.dropping(0, count: count)]
      NetworkHeader.clear(whole)
      room.dropping(NetworkHeader.size).copy(from: frame)
      return link.send(pair: pair, whole)
    case .drop: return .dropped
    case .answer(let answer):
      if answers.count < Self.answerLimit { answers.append(answer) }
      // Not from within: the device is at its transmit queue.
      timer?.start(nanoseconds: 1)
      return .moved(count)
    }
  }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    if !answers.isEmpty { return give(answers.removeFirst(), to: slices) }
    switch link.receive(pair: pair, into: [room]) {
    case .blocked: return .blocked
    case .dropped: return .dropped
    case .moved(let count):
      guard count > NetworkHeader.size, count <= room.count else { return .dropped }
      let frame = room.dropping(NetworkHeader.size, count: count - NetworkHeader.size).bytes()
      return filter.inbound(frame.span, now: Timer.now) ? give(frame, to: slices) : .dropped
    }
  }

  private func give(_ frame: [UInt8], to slices: [GuestSlice]) -> NetworkTransfer {
    taken = [UInt8](repeating: 0, count: NetworkHeader.size) + frame
    slices.copy(from: taken)
    return .moved(taken.count)
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    var position = offset
    slices.forEachPiece(count: taken.count - offset) { position += $0.copy(from: taken, at: position) }
  }
}

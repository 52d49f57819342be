import Devices
import Glibc
import GuestMemory
import Host
import Virtio

/// A link at which others may look on. On the event loop's thread, as the link.
final class WatchedBackend: NetworkBackend {
  /// At one card at once.
  private static let streamLimit = 8

  private let link: any NetworkBackend
  private let name: String
  private let loop: EventLoop
  private var streams: [CaptureStream] = [] {
    didSet { isWatched = !streams.isEmpty }
  }
  /// For each frame, where looking at an array takes more.
  private var isWatched = false
  /// A frame of which only the beginning has been copied to the guest yet.
  private var partial: (frame: [UInt8], length: Int)?

  init(_ link: any NetworkBackend, name: String, loop: EventLoop) {
    self.link = link
    self.name = name
    self.loop = loop
  }

  /// Writes what passes from now on to a socket, until its other end is closed.
  func capture(to socket: consuming FileDescriptor) throws(Errno) {
    guard streams.count < Self.streamLimit else { throw Errno(EBUSY) }
    streams.append(
      try CaptureStream(socket, interface: name, loop: loop) { [self] stream in streams.removeAll { $0 === stream } })
  }

  /// For tests.
  var streamCount: Int { streams.count }

  /// Goes on where a reader was slow; the loop does by itself.
  func flush() {
    for stream in streams { stream.flush() }
  }

  var offloads: NetworkOffloads { link.offloads }

  func setReceiveOffloads(_ offloads: NetworkOffloads) { link.setReceiveOffloads(offloads) }
  func setActivePairs(_ count: Int) { link.setActivePairs(count) }

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    let transfer = link.receive(pair: pair, into: slices)
    guard isWatched, case .moved(let count) = transfer, count >= NetworkHeader.size else { return transfer }
    finishPartial()
    let there = min(count, slices.byteCount) - NetworkHeader.size
    partial = (slices.bytes(at: NetworkHeader.size, count: there) ?? [], count - NetworkHeader.size)
    finishPartial(ifWhole: true)
    return transfer
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    link.copyReceived(pair: pair, from: offset, into: slices)
    guard let (frame, length) = partial, frame.count == offset - NetworkHeader.size else { return }
    partial!.frame += slices.bytes(count: min(length - frame.count, slices.byteCount)) ?? []
    finishPartial(ifWhole: true)
  }

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    let transfer = link.send(pair: pair, slices)
    if isWatched, case .moved(let count) = transfer, count >= NetworkHeader.size {
      let length = count - NetworkHeader.size
      if let frame = slices.bytes(at: NetworkHeader.size, count: length) { tell(frame, length: length, .outbound) }
    }
    return transfer
  }

  private func finishPartial(ifWhole: Bool = false) {
    guard let (frame, length) = partial, !ifWhole || frame.count == length else { return }
    partial = nil
    tell(frame, length: length, .inbound)
  }

  private func tell(_ frame: [UInt8], length: Int, _ direction: PacketCaptureFormat.Direction) {
    for stream in streams { stream.add(frame, length: length, direction) }
  }
}

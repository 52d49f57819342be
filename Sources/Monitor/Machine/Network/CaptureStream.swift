import CLinux
import Glibc
import Host

/// What passes a card, as a pcapng file that goes to a socket while it is made. A reader that is too slow misses packets,
/// and is told how many; the card does not wait. Everything here belongs to the event loop's thread.
final class CaptureStream: EventHandler {
  private static let backlogLimit = 4 << 20

  private let socket: FileDescriptor
  private let loop: EventLoop
  private var ended: ((CaptureStream) -> Void)?
  private var backlog: [UInt8]
  private var sent = 0
  private var lost: UInt64 = 0

  /// - Parameter ended: called once, when the reader has gone.
  init(
    _ socket: consuming FileDescriptor, interface: String, loop: EventLoop, ended: @escaping (CaptureStream) -> Void
  ) throws(Errno) {
    try socket.setNonblocking()
    self.socket = socket
    self.loop = loop
    self.ended = ended
    backlog = PacketCaptureFormat.header(interface: interface)
    try loop.add(self.socket.raw, [.readable, .writable, .readHangUp, .edgeTriggered], self)
  }

  func ready(_ events: EventLoop.Events) {
    if !events.isDisjoint(with: [.readHangUp, .hangUp, .error]) { return end() }
    flush()
  }

  /// Takes a packet, all of it or its beginning.
  func add(_ data: [UInt8], length: Int, _ direction: PacketCaptureFormat.Direction) {
    guard ended != nil else { return }
    let packet = PacketCaptureFormat.packet(data, length: length, at: Self.now, direction, lost: lost)
    guard backlog.count - sent + packet.count <= Self.backlogLimit else {
      lost += 1
      return
    }
    lost = 0
    backlog += packet
    flush()
  }

  func flush() {
    while sent < backlog.count {
      do throws(Errno) {
        sent += try UnixSocket.send(socket, backlog.span.extracting(sent...))
      } catch {
        // The loop tells when there is room again.
        if error != .wouldBlock { end() }
        break
      }
    }
    if sent == backlog.count {
      backlog.removeAll(keepingCapacity: true)
      sent = 0
    } else if sent > Self.backlogLimit {
      backlog.removeFirst(sent)
      sent = 0
    }
  }

  func end() {
    guard let ended else { return }
    self.ended = nil
    loop.remove(socket.raw)
    ended(self)
  }

  /// In nanoseconds since 1970.
  private static var now: UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

import Devices
import GuestMemory
import Host

/// A card's link by a stream socket on which each frame follows its length (big-endian, 32 bits), in the way of
/// passt(1) and QEMU. Such a frame has no header, so nothing may be left undone. Everything here belongs to the event
/// loop's thread.
final class StreamBackend: NetworkBackend, EventHandler {
  /// The longest frame: any IP packet, Ethernet header and VLAN tag.
  private static let frameLimit = NetworkDevice.frameLimit - NetworkHeader.size
  private static let lengthSize = 4
  private static let events: EventLoop.Events = [.readable, .readHangUp, .edgeTriggered]

  let offloads: NetworkOffloads = []

  /// The device that it belongs to, which is made after it.
  var device: NetworkDevice?

  private let socket: FileDescriptor
  private let loop: EventLoop
  private var lost: ((String) -> Void)?
  private var isLost = false

  /// What came in, of which the bytes from `start` to `end` are still to be looked at.
  private var input = [UInt8](repeating: 0, count: 2 * (lengthSize + frameLimit))
  private var start = 0
  private var end = 0
  /// The frame taken last, in `input`.
  private var frame = 0..<0
  private let sendsToLoopback: Bool
  /// What goes before the guest's own bytes: the frame's length, and as much of it as was looked at.
  private var prefix: [UInt8] = []
  /// The rest of a frame that went in part.
  private var output: [UInt8] = []
  private var waitsForRoom = false

  /// - Parameters:
  ///   - sendsToLoopback: as of ``NetworkCard``.
  ///   - lost: called once, should the stream end, with the reason.
  init(
    _ socket: consuming FileDescriptor, sendsToLoopback: Bool = true, loop: EventLoop, lost: @escaping (String) -> Void
  ) throws(Errno) {
    try socket.setNonblocking()
    self.sendsToLoopback = sendsToLoopback
    self.socket = socket
    self.loop = loop
    self.lost = lost
    try loop.add(self.socket.raw, Self.events, self)
  }

  func ready(_ events: EventLoop.Events) {
    if waitsForRoom, !events.isDisjoint(with: [.writable, .error, .hangUp]) {
      waitsForRoom = false
      try? loop.modify(socket.raw, Self.events)
      device?.writable(pair: 0)
    }
    device?.readable(pair: 0)
    // A guest without buffers would not see it.
    if !events.isDisjoint(with: [.error, .hangUp]) { lose("the other end is gone") }
  }

  func setReceiveOffloads(_ offloads: NetworkOffloads) {}
  func setActivePairs(_ count: Int) {}

  // MARK: To the guest

  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer {
    while true {
      if let frame = nextFrame() {
        self.frame = frame
        NetworkHeader.clear(slices)
        copyReceived(pair: pair, from: NetworkHeader.size, into: slices, skipping: NetworkHeader.size)
        return .moved(NetworkHeader.size + frame.count)
      }
      guard !isLost, fill() else { return .blocked }
    }
  }

  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {
    copyReceived(pair: pair, from: offset, into: slices, skipping: 0)
  }

  private func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice], skipping: Int) {
    var position = frame.lowerBound + offset - NetworkHeader.size
    slices.forEachPiece(from: skipping, count: frame.upperBound - position) { piece in
      position += piece.copy(from: input, at: position)
    }
  }

  /// The next whole frame that came in.
  private func nextFrame() -> Range<Int>? {
    guard end - start >= Self.lengthSize else { return nil }
    var length = 0
    for byte in input[start..<start + Self.lengthSize] { length = length << 8 | Int(byte) }
    guard length <= Self.frameLimit else {
      lose("the other end sent a frame of \(length) bytes")
      return nil
    }
    let first = start + Self.lengthSize
    guard end - first >= length else { return nil }
    start = first + length
    return first..<first + length
  }

  /// Takes more of what came in; false if there is nothing now.
  private func fill() -> Bool {
    if start > 0 {
      // Less than a frame is left, and mostly nothing.
      for index in start..<end { input[index - start] = input[index] }
      end -= start
      start = 0
    }
    do throws(Errno) {
      let count = try UnixSocket.receive(socket, into: &input, from: end)
      if count == 0 { lose("the other end is gone") }
      end += count
      return count > 0
    } catch {
      if error != .wouldBlock { lose(error.description) }
      return false
    }
  }

  // MARK: To the host

  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    if isLost { return .dropped }
    do throws(Errno) {
      if !output.isEmpty {
        output.removeFirst(try UnixSocket.send(socket, output.span))
        if !output.isEmpty { throw .wouldBlock }
      }
      let length = slices.byteCount - NetworkHeader.size
      // Copied before it is looked at: the guest may change its own meanwhile.
      let copied = sendsToLoopback ? 0 : min(length, LoopbackFilter.prefixSize)
      prefix.removeAll(keepingCapacity: true)
      for shift in [24, 16, 8, 0] { prefix.append(UInt8(truncatingIfNeeded: length >> shift)) }
      if copied > 0 {
        guard let start = slices.bytes(at: NetworkHeader.size, count: copied) else { return .dropped }
        if !LoopbackFilter.passes(start.span) { return .dropped }
        prefix += start
      }
      var vectors = SocketVectors()
      slices.forEachPiece(from: NetworkHeader.size + copied, count: length - copied) { piece in
        // Guest RAM outlives the call.
        unsafe vectors.append(piece.hostBytes)
      }
      let sent: Int
      if vectors.isFull {
        // With the length perhaps more pieces than go at once.
        sent = 0
      } else {
        sent = try vectors.send(to: socket, behind: prefix.span)
      }
      if sent < Self.lengthSize + length { keep(slices, length, copied, from: sent) }
      return .moved(NetworkHeader.size + length)
    } catch {
      guard error == .wouldBlock else {
        lose(error.description)
        return .dropped
      }
      if !waitsForRoom {
        waitsForRoom = true
        try? loop.modify(socket.raw, Self.events.union(.writable))
      }
      return .blocked
    }
  }

  /// Keeps what did not go of a frame and its length, so that the stream stays whole.
  private func keep(_ slices: [GuestSlice], _ length: Int, _ copied: Int, from sent: Int) {
    output += prefix
    output += slices.bytes(at: NetworkHeader.size + copied, count: length - copied) ?? []
    output.removeFirst(sent)
  }

  private func lose(_ reason: String) {
    isLost = true
    lost?(reason)
    lost = nil
  }
}

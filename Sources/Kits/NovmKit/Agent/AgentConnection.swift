import AgentProtocol
import CLinux
import Glibc
import Host

/// One stream of frames to the guest's agent, through the Unix socket that stands for its vsock.
package final class AgentConnection: PollSource {
  private enum State {
    /// `CONNECT PORT` is sent; the answer, up to its newline, is awaited.
    case greeting([UInt8])
    case open
    case closed
  }

  private let descriptor: FileDescriptor
  private var state: State
  private var decoder = FrameDecoder()
  private var outgoing: [UInt8] = []
  private var sent = 0
  /// What was read last; kept for its memory.
  private var incoming: [UInt8] = []

  /// Called for each frame from the guest that carries no data.
  package var onFrame: (Frame) throws(NovmError) -> Void = { _ in }
  /// Called for the data of `stdout` and `stderr` frames as it comes, whole frames or parts.
  package var onData: (FrameType, ArraySlice<UInt8>) throws(NovmError) -> Void = { type, _ throws(NovmError) in
    throw .protocolViolation(.malformed(type))
  }
  /// Called once when the guest, or novmm, closes the stream.
  package var onClose: () throws(NovmError) -> Void = {}
  /// Called when what the other end says makes no sense, or this end refuses it; the stream is closed then.
  package var onFault: (NovmError) throws(NovmError) -> Void = { error throws(NovmError) in throw error }
  /// Whether frames are wanted now; while they are not, the guest's output is held back by the stream.
  package var wantsFrames: () -> Bool = { true }

  /// Connects to a port of the guest by way of `novmm`'s socket.
  package convenience init(vsock: String, port: UInt32 = Agent.port) throws(NovmError) {
    self.init(try UnixSocket.connect(to: vsock), greeting: true)
    outgoing = Array("CONNECT \(port)\n".utf8)
  }

  /// Connects to a socket on which frames flow from the start.
  package convenience init(socket path: String) throws(NovmError) {
    self.init(try UnixSocket.connect(to: path), greeting: false)
  }

  /// Takes a stream on which frames flow already.
  package convenience init(stream: consuming FileDescriptor) throws(NovmError) {
    do { try stream.setNonblocking() } catch { throw .call("fcntl", error) }
    self.init(stream, greeting: false)
  }

  private init(_ descriptor: consuming FileDescriptor, greeting: Bool) {
    self.descriptor = descriptor
    state = greeting ? .greeting([]) : .open
  }

  /// Bytes that wait to be sent.
  package var backlog: Int { outgoing.count - sent }

  package func send(_ frame: Frame) throws(NovmError) {
    if case .closed = state { return }
    do { try frame.encode(into: &outgoing) } catch { throw .protocolViolation(error) }
  }

  /// Reads once from `descriptor` straight into a `stdin` frame; sends nothing if there is nothing to read.
  ///
  /// - Parameter limit: the most bytes to read, at least one.
  func sendInput(from descriptor: Int32, limit: Int) -> InputChunk {
    if case .closed = state { return .none }
    let start = outgoing.count
    FrameHeader(type: .stdin, length: 0).encode(into: &outgoing)
    let chunk = InputChunk.read(descriptor, into: &outgoing, limit: min(limit, Agent.payloadLimit))
    if case .bytes(let count) = chunk {
      FrameHeader(type: .stdin, length: UInt32(count)).encode(over: &outgoing, at: start)
    } else {
      outgoing.removeLast(outgoing.count - start)
    }
    return chunk
  }

  package var interest: PollInterest? {
    if case .closed = state { return nil }
    let events = (wantsFrames() ? POLLIN : 0) | (backlog > 0 ? POLLOUT : 0)
    return PollInterest(descriptor.raw, events)
  }

  package func ready(_ events: Int32) throws(NovmError) {
    if events & POLLOUT != 0 { try flush() }
    // A hang-up comes unasked, and would come again and again; what is still in the socket goes first.
    guard events & (POLLIN | POLLHUP | POLLERR) != 0, wantsFrames() || events & POLLIN == 0 else { return }
    do throws(NovmError) {
      try receive()
    } catch {
      state = .closed
      try onFault(error)
    }
  }

  private func flush() throws(NovmError) {
    let count = unsafe outgoing.withUnsafeBytes { bytes in
      unsafe Glibc.send(
        descriptor.raw, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
    }
    guard count >= 0 else {
      // What the guest said before it closed is still to be read: receiving finds the end.
      if Errno.current != Errno(EAGAIN) && Errno.current != Errno(EINTR) { discardOutgoing() }
      return
    }
    sent += count
    if sent == outgoing.count { discardOutgoing() }
  }

  private func discardOutgoing() {
    outgoing.removeAll(keepingCapacity: true)
    sent = 0
  }

  private func receive() throws(NovmError) {
    incoming.removeAll(keepingCapacity: true)
    switch InputChunk.read(descriptor.raw, into: &incoming, limit: Self.readSize) {
    case .none: return
    case .end: try close()
    case .bytes: try take(incoming)
    }
  }

  private func take(_ bytes: [UInt8]) throws(NovmError) {
    var offset = 0
    if case .greeting(var line) = state {
      guard let newline = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
        line += bytes
        guard line.count < 64 else { throw .agentRefused }
        state = .greeting(line)
        return
      }
      line += bytes[..<newline]
      guard line.starts(with: Array("OK ".utf8)) else { throw .agentRefused }
      state = .open
      offset = newline + 1
    }
    while let piece = try next(bytes, &offset) {
      switch piece {
      case .frame(let frame): try onFrame(frame)
      case .data(let type, let range): try onData(type, bytes[range])
      }
    }
  }

  private func next(_ bytes: [UInt8], _ offset: inout Int) throws(NovmError) -> FramePiece? {
    do { return try decoder.nextPiece(bytes, from: &offset) } catch { throw .protocolViolation(error) }
  }

  private func close() throws(NovmError) {
    let wasGreeting = if case .greeting = state { true } else { false }
    state = .closed
    if wasGreeting { throw .agentRefused }
    try onClose()
  }

  private static let readSize = 128 << 10
}

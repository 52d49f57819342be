import AgentProtocol
import Foundation

/// The host's side of one stream: no more than the protocol says, and nothing waits for ever.
final class AgentStream {
  /// What a command came to.
  struct Result {
    var stdout: [UInt8] = []
    var stderr: [UInt8] = []
    /// All frames but output and credit, in order.
    var frames: [Frame] = []

    var end: Frame? { frames.last }
    var failure: Failure? { if case .failed(let failure) = end { failure } else { nil } }
  }

  private let socket: Int32
  private var decoder = FrameDecoder()
  private var received: [Frame] = []
  private var outgoing: [UInt8] = []
  private var isAtEnd = false
  private(set) var window = InputWindow()

  /// Takes over a connected socket.
  init(owning socket: Int32) {
    self.socket = socket
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
  }

  convenience init(path: String) throws {
    let socket = UnixSocket.make()
    guard UnixSocket.withAddress(path, { connect(socket, $0, $1) }) == 0 else {
      throw TestFailure("connect \(path): errno \(errno)")
    }
    self.init(owning: socket)
  }

  deinit { Glibc.close(socket) }

  func send(_ frame: Frame) throws { try send(bytes: frame.encoded()) }

  func send(bytes: [UInt8]) throws {
    outgoing += bytes
    while !outgoing.isEmpty { try turn(until: .now + .seconds(30), reading: false) }
  }

  /// Ends the connection without another word.
  func hangUp() { _ = shutdown(socket, Int32(SHUT_RDWR)) }

  /// The next frame; nil at the end of the stream.
  func next(within seconds: Int = 30) throws -> Frame? {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while received.isEmpty, !isAtEnd { try turn(until: deadline) }
    return received.isEmpty ? nil : received.removeFirst()
  }

  /// Bytes of standard output, until what has come of them contains `text`.
  @discardableResult
  func output(until text: String) throws -> String {
    var output: [UInt8] = []
    while !output.text.contains(text) {
      guard let frame = try next() else { throw TestFailure("'\(output.text)' does not go on to '\(text)'") }
      if case .stdout(let bytes) = frame { output += bytes }
    }
    return output.text
  }

  /// Sends all of `input` as the window allows, then its end; takes everything until the stream ends.
  func finish(input: [UInt8]? = nil) throws -> Result {
    var result = Result()
    var sent = 0
    var inputIsOpen = input != nil
    var deadline = ContinuousClock.now + .seconds(60)
    while true {
      if let input, inputIsOpen, outgoing.isEmpty {
        let count = min(window.nextFrame, input.count - sent)
        if sent == input.count {
          outgoing += try Frame.endOfInput.encoded()
          inputIsOpen = false
        } else if count > 0, window.spend(count) {
          outgoing += try Frame.stdin(Array(input[sent..<sent + count])).encoded()
          sent += count
        }
      }
      if received.isEmpty, !isAtEnd { try turn(until: deadline) }
      if !received.isEmpty { deadline = .now + .seconds(60) }
      for frame in received {
        switch frame {
        case .stdout(let bytes): result.stdout += bytes
        case .stderr(let bytes): result.stderr += bytes
        case .credit(let count): window.grant(count)
        default: result.frames.append(frame)
        }
      }
      received = []
      if isAtEnd { return result }
    }
  }

  private func turn(until deadline: ContinuousClock.Instant, reading: Bool = true) throws {
    guard ContinuousClock.now < deadline else { throw TestFailure("the agent is silent") }
    let events = (reading ? POLLIN : 0) | (outgoing.isEmpty ? 0 : POLLOUT)
    var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
    guard poll(&entry, 1, 1000) > 0 else { return }
    let ready = Int32(entry.revents)
    if ready & POLLOUT != 0 {
      let count = outgoing.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 { outgoing.removeFirst(count) }
      if count < 0, errno != EAGAIN { throw TestFailure("send: errno \(errno)") }
    }
    guard ready & (POLLIN | POLLHUP | POLLERR) != 0 else { return }
    var bytes = [UInt8](repeating: 0, count: 256 << 10)
    let count = bytes.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
    if count < 0, errno == EAGAIN { return }
    if count <= 0 {
      isAtEnd = true
      outgoing = []
      guard decoder.isAtBoundary else { throw TestFailure("the stream ends within a frame") }
      return
    }
    bytes.removeLast(bytes.count - count)
    var offset = 0
    while let frame = try decoder.next(bytes, from: &offset) { received.append(frame) }
  }
}

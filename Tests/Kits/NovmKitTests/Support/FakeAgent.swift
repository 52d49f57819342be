import AgentProtocol
import Foundation
import Host

/// The guest's side of a stream: blocking, on a thread of its own, doing what a test says.
final class FakeAgent: @unchecked Sendable {
  /// For the host's side.
  private(set) var hostEnd: Int32
  private let descriptor: Int32
  private var decoder = FrameDecoder()
  private var pending: [UInt8] = []
  private var offset = 0
  private var thread: PosixThread?

  init(_ behaviour: @escaping (FakeAgent) -> Void) throws {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw Errno.current }
    (hostEnd, descriptor) = (ends[0], ends[1])
    thread = try PosixThread("agent") { [self] in
      behaviour(self)
      close(descriptor)
    }
  }

  /// At one end of a stream that is there already, on the caller's own thread.
  init(over socket: Int32) {
    (hostEnd, descriptor) = (-1, socket)
  }

  func takeHostEnd() -> FileDescriptor { FileDescriptor(owning: hostEnd) }

  func join() { thread?.join() }

  /// The next frame; nil at the end of the stream.
  func receive() -> Frame? {
    while true {
      let bytes = pending
      if let frame = try! decoder.next(bytes, from: &offset) { return frame }
      var buffer = [UInt8](repeating: 0, count: 64 << 10)
      let count = read(descriptor, &buffer, buffer.count)
      if count <= 0 { return nil }
      pending = Array(buffer[..<count])
      offset = 0
    }
  }

  /// Sends frames; quietly does not once the host is gone.
  func send(_ frames: Frame...) {
    for frame in frames { sendBytes(try! frame.encoded()) }
  }

  func sendBytes(_ bytes: [UInt8]) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }
}

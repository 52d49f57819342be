import AgentProtocol
import Glibc
import Host
import Logging

/// A port or socket of the host's whose every stream leads to one of the guest's.
final class StreamForward: Forward {
  private let listener: FileDescriptor
  private let target: ForwardTarget
  /// The name that the listener has in the file system, if it has one.
  private let path: Path?
  /// Which holds this.
  private unowned let loop: PollLoop
  private let logger: Logger
  private var streams: [ForwardedStream] = []
  private var rest = ListenerRest()
  var isOpen = false

  init(
    _ listener: consuming FileDescriptor, _ target: ForwardTarget, path: Path? = nil, loop: PollLoop, logger: Logger
  ) {
    self.listener = listener
    self.target = target
    self.path = path
    self.loop = loop
    self.logger = logger
  }

  deinit { if let path { Host.UnixSocket.remove(path) } }

  /// Who comes then waits until another has gone.
  private static let limit = 256

  var interest: PollInterest? {
    isOpen && rest.end == nil && streams.count < Self.limit ? PollInterest(listener.raw, POLLIN) : nil
  }

  func ready(_ events: Int32) {
    guard let socket = rest.accept(listener) else { return }
    do throws(NovmError) {
      streams.append(try ForwardedStream(socket, target, loop: loop))
    } catch {
      // The machine is about to end, or has more streams than it can take.
      logger.debug("a stream could not be led into the guest: \(error)")
    }
  }

  func close() {
    for stream in streams { _ = stream.close(loop) }
    streams = []
  }

  // What has ended is let go of at once.
  var deadline: MonotonicTime? { streams.contains(where: \.isOver) ? .past : rest.end }

  func expired() {
    rest.finish()
    for stream in streams where stream.isOver {
      if let words = stream.close(loop) { logger.debug("a stream into the guest: \(words)") }
    }
    streams.removeAll(where: \.isOver)
  }
}

/// One stream of the host's, and the agent's end of it.
private final class ForwardedStream {
  private let socket: FileDescriptor
  private let session: Session
  private let errors = ErrorText()

  init(_ socket: consuming FileDescriptor, _ target: ForwardTarget, loop: PollLoop) throws(NovmError) {
    do throws(Errno) { try socket.setNonblocking() } catch { throw .call("fcntl", error) }
    let number = socket.raw
    session = try Session(
      Command(arguments: target.arguments, options: [.builtIn, .input]), on: AgentConnection(vsock: target.vsock),
      loop: loop, input: number, output: OutputStream(number), error: errors)
    self.socket = socket
    session.staysApart()
  }

  var isOver: Bool { session.result != nil }

  /// - Returns: why it failed, if it did.
  func close(_ loop: PollLoop) -> String? {
    session.leave(loop)
    if session.result == .exited(0) { return nil }
    InternetSocket.resetWhenClosed(socket)
    return errors.lastLine ?? "\(session.result.map { "\($0)" } ?? "")"
  }
}

import Glibc

/// Takes clients of a Unix socket on an event loop's thread.
///
/// While descriptors or memory are short, clients wait to be accepted, and are looked for from time to time: the loop would be
/// told of them without end otherwise.
package final class UnixListener: EventHandler {
  /// In nanoseconds.
  private static let rest: UInt64 = 100_000_000

  private let path: Path
  private let loop: EventLoop
  private let socket: FileDescriptor
  private let accepted: (consuming FileDescriptor) -> Void
  /// Made beforehand: it would be missing when it is needed.
  private var timer: Timer?
  private var isResting = false
  private var isPaused = false
  private var isWaiting = true

  /// - Parameters:
  ///   - isAlways: whether clients come while the loop is held.
  ///   - accepted: has a client's connection, which never blocks.
  /// - Throws: `EADDRINUSE` if somebody else listens there, or what bind(2) says.
  package init(
    _ path: Path, _ loop: EventLoop, isAlways: Bool = false, accepted: @escaping (consuming FileDescriptor) -> Void
  ) throws(Errno) {
    self.path = path
    self.loop = loop
    self.accepted = accepted
    socket = try UnixSocket.listen(path)
    timer = try Timer(loop, isAlways: isAlways) { [self] in
      isResting = false
      watch()
    }
    try loop.add(socket.raw, .readable, self, isAlways: isAlways)
  }

  /// Removes the socket's name, and takes no more clients.
  package func close() {
    loop.remove(socket.raw)
    UnixSocket.remove(path)
  }

  /// Whether clients are to wait, for as long as whoever takes them likes.
  package func pause(_ isPaused: Bool) {
    guard isPaused != self.isPaused else { return }
    self.isPaused = isPaused
    watch()
  }

  package func ready(_ events: EventLoop.Events) {
    guard !isPaused, !isResting else { return }
    do throws(Errno) {
      // One at a time: others on the loop are served in between.
      guard let client = try UnixSocket.accept(socket) else { return }
      accepted(client)
    } catch {
      isResting = true
      timer?.start(nanoseconds: Self.rest)
      watch()
    }
  }

  private func watch() {
    let isWanted = !isPaused && !isResting
    guard isWanted != isWaiting else { return }
    // To change what is waited for takes no memory.
    do throws(Errno) { try loop.modify(socket.raw, isWanted ? .readable : []) } catch { return }
    isWaiting = isWanted
  }
}

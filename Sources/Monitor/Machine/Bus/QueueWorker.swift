import Host
import Synchronization
import Virtio

/// Serves one queue when it is notified, on the event loop or on a thread of its own.
final class QueueWorker: EventHandler {
  let queue: VirtQueue
  private let transport: Transport
  /// A signal has the queue served.
  let event: EventFD
  /// Held while the queue is worked on.
  private let lock = Lock()
  private var isLive = false
  private let isHeld = Atomic<Bool>(false)

  init(_ queue: VirtQueue, of transport: Transport, event: EventFD) {
    self.queue = queue
    self.transport = transport
    self.event = event
  }

  /// Gives the queue a thread of its own, for the life of the process.
  func startThread(_ name: String, _ began: @escaping () -> Void) throws(Errno) {
    _ = try Thread(name) { [self] in
      began()
      while true {
        event.wait()
        serve()
      }
    }
  }

  /// Each signal is one event of an edge-triggered wait: the counter need not be read.
  func ready(_ events: EventLoop.Events) { serve() }

  func wake() { event.signal() }

  /// Begins to serve; what was notified before is served now.
  func resume() {
    lock.withLock { isLive = true }
    wake()
  }

  /// Has nothing more begun on the queue until `letGo`. Whoever works on it goes on.
  func hold() { isHeld.store(true, ordering: .releasing) }

  /// Returns once nobody works on the queue.
  func rest() { lock.withLock {} }

  /// Undoes `hold`; what was notified meanwhile is served now.
  func letGo() {
    isHeld.store(false, ordering: .releasing)
    wake()
  }

  /// Whether nobody works on the queue, or stops before the time is over. A worker may wait for the host, which no driver can
  /// help, and nobody else.
  func rests(within milliseconds: UInt64) -> Bool { lock.isFree(within: milliseconds) }

  /// Returns once nobody works on the queue, nor will until `resume`.
  func pause() {
    lock.withLock { isLive = false }
  }

  private func serve() {
    lock.withLock {
      guard isLive, !isHeld.load(ordering: .acquiring) else { return }
      do throws(QueueFault) {
        try transport.device.process(queue)
      } catch {
        // The driver broke the rules: its device stops until it resets it.
        isLive = false
        transport.needsReset()
      }
    }
  }
}

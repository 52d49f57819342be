import Host
import State
import Virtio

/// A virtio device's place in the machine, by whatever transport: the lock of its registers, and the threads that work for
/// it.
///
/// Register accesses come on vCPU threads and take the slot's lock. Queues are served on the event loop, or each on a
/// thread of its own where the device says that it may block.
final class VirtioSlot: TransportOwner {
  /// Held for each access to the registers.
  let lock = Lock()
  private let loop: EventLoop
  private var transport: Transport!
  private(set) var workers: [QueueWorker] = []

  init(_ loop: EventLoop) { self.loop = loop }

  /// Begins to serve the queues of `transport`, which this owns.
  func serve(_ transport: Transport) throws(MachineError) {
    self.transport = transport
    let isParallel = transport.device.isParallel
    for queue in transport.queues {
      do throws(Errno) {
        let worker = QueueWorker(queue, of: transport, event: try EventFD(isBlocking: isParallel))
        if !isParallel { try loop.add(worker.event.raw, [.readable, .edgeTriggered], worker) }
        workers.append(worker)
      } catch {
        throw .host("worker of a queue", error)
      }
    }
  }

  /// Gives each queue of a parallel device its thread.
  func startThreads(_ began: @escaping () -> Void) throws(Errno) {
    guard transport.device.isParallel else { return }
    for worker in workers { try worker.startThread("queue \(worker.queue.index)", began) }
  }

  func withDevice(_ body: () -> Void) {
    if transport.device.isParallel { body() } else { loop.perform(body) }
  }

  func started() {
    for worker in workers { worker.resume() }
  }

  /// Ends the service until `letGo`; whoever works on a queue finishes what is at hand.
  func hold() {
    for worker in workers { worker.hold() }
  }

  /// Returns once nobody works on the queues, of which none is served.
  func rest() {
    for worker in workers { worker.rest() }
  }

  func letGo() {
    for worker in workers { worker.letGo() }
  }

  func save(to state: inout StateWriter, place: UInt16) throws(StateError) {
    try transport.save(to: &state, place: place)
  }

  func restore(from state: inout StateReader, place: UInt16) throws(StateError) {
    try transport.restore(from: &state, place: place)
  }

  func wakeAll() { transport.wake() }

  /// Whether nobody works on the queues, after a short while at most.
  func rests(within milliseconds: UInt64) -> Bool {
    workers.allSatisfy { $0.rests(within: milliseconds) }
  }

  func stopped() {
    for worker in workers { worker.pause() }
  }

  /// The device's configuration has changed. From any thread.
  func configurationChanged() { transport.configurationChanged() }

  func notified(queue: UInt32) {
    if let index = Int(exactly: queue), index < workers.count { workers[index].wake() }
  }
}

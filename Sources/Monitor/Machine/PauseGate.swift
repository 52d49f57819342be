import Host
import KVM

/// Holds all vCPUs of a machine between two entries into the guest.
///
/// The vCPUs' threads wait in what ``VCPU/whenStopped(_:)`` runs there; everything else belongs to the event loop's thread.
final class PauseGate: @unchecked Sendable {
  private enum State {
    case open
    /// Some vCPUs may still run.
    case closing
    case closed
  }

  private let loop: EventLoop
  private var state = State.open
  /// vCPUs that were told to stop, and those of them that have.
  private var expected = 0
  private var stopped = 0
  /// The last round that was let go on, for the vCPUs' threads.
  private var released = 0
  private let lock = Lock()
  private let release = Condition()
  /// Counts the times that it was closed: a vCPU that stops late is none of a later time's.
  private var round = 0
  private var waiting: [() -> Void] = []

  init(_ loop: EventLoop) { self.loop = loop }

  /// Whether the guest stands still, or is about to.
  var isClosed: Bool { state != .open }

  /// Whether no vCPU runs.
  var isShut: Bool { state == .closed }

  /// Stops the vCPUs.
  ///
  /// - Parameter done: called when none runs any more, or they were let go on before that.
  func close(_ vcpus: [(VCPU, Thread)], _ done: @escaping () -> Void) {
    switch state {
    case .closed: return done()
    case .closing: return waiting.append(done)
    case .open: break
    }
    waiting.append(done)
    state = .closing
    expected = vcpus.count
    stopped = 0
    round += 1
    let current = round
    for (vcpu, thread) in vcpus {
      vcpu.whenStopped { [self] in
        loop.post { self.hasStopped(current) }
        waitForRelease(current)
        vcpu.noteStop()
      }
      vcpu.requestExit()
      thread.kick()
    }
  }

  /// On a vCPU's thread.
  private func waitForRelease(_ round: Int) {
    lock.withLock {
      while released < round { release.wait(lock) }
    }
  }

  private func hasStopped(_ round: Int) {
    guard round == self.round, state == .closing else { return }
    stopped += 1
    if stopped == expected { finish(.closed) }
  }

  /// Lets them go on.
  func open() {
    guard state != .open else { return }
    lock.withLock {
      released = round
      release.broadcast()
    }
    finish(.open)
  }

  private func finish(_ state: State) {
    self.state = state
    let calls = waiting
    waiting = []
    for call in calls { call() }
  }
}

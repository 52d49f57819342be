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
  /// One for each vCPU that was told to stop, to let it go on.
  private var releases: [EventFD] = []
  private var stopped = 0
  /// Counts the times that it was closed: a vCPU that stops late is none of a later time's.
  private var round = 0
  private var waiting: [() -> Void] = []

  init(_ loop: EventLoop) { self.loop = loop }

  /// Whether the guest stands still, or is about to.
  var isClosed: Bool { state != .open }

  /// Stops the vCPUs.
  ///
  /// - Parameter done: called when none runs any more, or they were let go on before that.
  /// - Throws: nothing, with `EMFILE` for a host that has no descriptors left: the machine goes on.
  func close(_ vcpus: [(VCPU, Thread)], _ done: @escaping () -> Void) throws(Errno) {
    switch state {
    case .closed: return done()
    case .closing: return waiting.append(done)
    case .open: break
    }
    var made: [EventFD] = []
    for _ in vcpus { made.append(try EventFD(isBlocking: true)) }
    releases = made
    waiting.append(done)
    state = .closing
    stopped = 0
    round += 1
    let current = round
    for ((vcpu, thread), release) in zip(vcpus, releases) {
      vcpu.whenStopped { [self] in
        loop.post { self.hasStopped(current) }
        release.drain()
        vcpu.noteStop()
      }
      vcpu.requestExit()
      thread.kick()
    }
  }

  private func hasStopped(_ round: Int) {
    guard round == self.round, state == .closing else { return }
    stopped += 1
    if stopped == releases.count { finish(.closed) }
  }

  /// Lets them go on.
  func open() {
    guard state != .open else { return }
    for release in releases { release.signal() }
    releases = []
    finish(.open)
  }

  private func finish(_ state: State) {
    self.state = state
    let calls = waiting
    waiting = []
    for call in calls { call() }
  }
}

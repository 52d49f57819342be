import Host

/// The stage beyond a pause, in which a machine's state is what is in its memory and its parts, and stands still: no vCPU runs, no
/// queue is served, nothing is under way with the host, and what the host has for the guest stays unread. Only the machine's
/// operator is still heard.
///
/// Everything here belongs to the event loop's thread, except that devices settle on one of their own: a host may take its time.
final class Quiescence: @unchecked Sendable {
  private enum State {
    case none
    /// Something may be under way yet.
    case settling
    case reached
    /// Somebody does something with what rests.
    case working
  }

  private let loop: EventLoop
  private let slots: () -> [VirtioSlot]
  private var state = State.none
  private var waiting: [(Bool) -> Void] = []
  /// What is to come once it is over, which is asked for already.
  private var leaving: [() -> Void]?

  /// - Parameter slots: the devices' places.
  init(_ loop: EventLoop, slots: @escaping () -> [VirtioSlot]) {
    self.loop = loop
    self.slots = slots
  }

  /// Whether it has begun and is not over.
  var isActive: Bool { state != .none }

  var isReached: Bool { state == .reached || state == .working }

  /// Has devices rest. No vCPU may run until `leave`.
  ///
  /// - Parameter done: called with true once all rest; with false if it was left before that.
  func enter(_ parts: [any DevicePart], _ done: @escaping (Bool) -> Void) {
    if isReached, leaving == nil { return done(true) }
    waiting.append(done)
    guard state == .none else { return }
    state = .settling
    // In posted work: of the events that were reported together with this none is lost.
    loop.post { [self] in
      loop.hold()
      let slots = slots()
      for slot in slots { slot.hold() }
      doApart {
        for slot in slots { slot.rest() }
        for part in parts { part.settle() }
      } done: { [self] in
        settled()
      }
    }
  }

  var isWorking: Bool { state == .working }

  /// Does something with what rests that takes its time: all do until it is done, whoever wants them to go on meanwhile. It is
  /// reached, and nothing else is done.
  ///
  /// - Parameters:
  ///   - body: called on another thread.
  ///   - done: called after it.
  func work(_ body: @escaping () -> Void, done: @escaping () -> Void) {
    state = .working
    doApart(body) { [self] in
      state = .reached
      done()
      if leaving != nil { end() }
    }
  }

  private func doApart(_ body: @escaping () -> Void, done: @escaping () -> Void) {
    let isBegun = try? Thread("quiesce") { [self] in
      body()
      loop.post(done)
    }
    // Without room for a thread the loop waits for the host itself.
    if isBegun == nil {
      body()
      done()
    }
  }

  /// Has devices go on, as soon as they all rest.
  ///
  /// - Parameter done: called then; at once if it was not begun.
  func leave(_ done: @escaping () -> Void) {
    if state == .none { return done() }
    leaving = (leaving ?? []) + [done]
    if state == .reached { end() }
  }

  private func settled() {
    state = .reached
    if leaving != nil { return end() }
    tell(true)
  }

  private func end() {
    let calls = leaving ?? []
    leaving = nil
    state = .none
    for slot in slots() { slot.letGo() }
    loop.letGo()
    tell(false)
    for call in calls { call() }
  }

  private func tell(_ isReached: Bool) {
    let calls = waiting
    waiting = []
    for call in calls { call(isReached) }
  }
}

import CMachine
import FramePool
import HypercallABI

/// An SM: a count, and who waits for it to be more than 0.
struct Semaphore {
  var references: UInt32 = 1
  var isDead = false
  var count: UInt64
  var domain: Reference<ProtectionDomain>
  var first: Reference<Context>?
  var last: Reference<Context>?
  /// The GSI that ups it; beyond all where none does.
  var interrupt: UInt64 = .max
  /// Whether it is a count and no more: no interrupt's, without signals either way.
  var isPlain = true
  /// One that signals another: each up is heard there, with this value.
  var target: Reference<Semaphore>?
  var value: UInt64 = 0
  /// Signals that nobody has taken: of this one, by others.
  var firstSignal: Reference<Semaphore>?
  var lastSignal: Reference<Semaphore>?
  var nextSignal: Reference<Semaphore>?
  var isSignaled = false
}

extension Reference where Object == Semaphore {
  func retain() { object.references &+= 1 }

  func release() {
    object.references &-= 1
    guard object.references == 0 else { return }
    let domain = object.domain
    object.target?.release()
    unsafe Memory.free(self, &Memory.semaphores, of: domain)
    domain.release()
  }
}

enum Semaphores {
  static func make(_ domain: Reference<ProtectionDomain>, count: UInt64) -> Reference<Semaphore>? {
    guard let new: Reference<Semaphore> = unsafe Memory.object(&Memory.semaphores, of: domain) else { return nil }
    domain.retain()
    new.object = Semaphore(count: count, domain: domain)
    return new
  }

  static func up(_ semaphore: Reference<Semaphore>) {
    if let target = semaphore.object.target { return signal(semaphore, target) }
    guard let waiting = semaphore.object.first else {
      if semaphore.object.count < .max { semaphore.object.count &+= 1 }
      return
    }
    wake(waiting, .success)
  }

  /// An up of one that signals another. Its ups count until they are heard.
  private static func signal(_ semaphore: Reference<Semaphore>, _ target: Reference<Semaphore>) {
    if let waiting = target.object.first {
      waiting.object.registers.rsi = semaphore.object.value
      waiting.object.registers.rdx = 1
      return wake(waiting, .success)
    }
    semaphore.object.count &+= 1
    guard !semaphore.object.isSignaled, !target.object.isDead else { return }
    semaphore.object.isSignaled = true
    target.object.isPlain = false
    semaphore.retain()
    semaphore.object.nextSignal = nil
    if let last = target.object.lastSignal {
      last.object.nextSignal = semaphore
    } else {
      target.object.firstSignal = semaphore
    }
    target.object.lastSignal = semaphore
  }

  /// Takes what is there, and says so in the context's registers; or has it wait until `deadline` (0: without end). Returns
  /// whether it need not wait.
  static func down(_ semaphore: Reference<Semaphore>, _ context: Reference<Context>, toZero: Bool, _ deadline: UInt64)
    -> Bool
  {
    if semaphore.object.interrupt != .max { GlobalInterrupts.expect(semaphore.object.interrupt) }
    if let signal = semaphore.object.firstSignal {
      semaphore.object.firstSignal = signal.object.nextSignal
      if semaphore.object.firstSignal == nil { semaphore.object.lastSignal = nil }
      signal.object.isSignaled = false
      signal.object.nextSignal = nil
      context.object.registers.rsi = signal.object.value
      context.object.registers.rdx = signal.object.count
      signal.object.count = 0
      signal.release()
      context.object.finish(.success)
      return true
    }
    if semaphore.object.count > 0 {
      semaphore.object.count = toZero ? 0 : semaphore.object.count &- 1
      context.object.finish(.success)
      return true
    }
    if semaphore.object.isDead {
      context.object.finish(.aborted)
      return true
    }
    if deadline != 0, deadline <= m_rdtsc() {
      context.object.finish(.timeout)
      return true
    }
    context.object.semaphore = semaphore
    context.object.nextWaiting = nil
    context.object.previousWaiting = semaphore.object.last
    if let last = semaphore.object.last { last.object.nextWaiting = context } else { semaphore.object.first = context }
    semaphore.object.last = context
    if deadline != 0 { Scheduler.wait(context, until: deadline) }
    context.object.continuation = .blocked
    return false
  }

  /// Whoever waits goes on with `status`.
  static func wake(_ context: Reference<Context>, _ status: Status) {
    forget(context)
    context.object.finish(status)
    context.object.continuation = .hypercall
    Scheduler.unpark(context)
  }

  /// It waits no more.
  static func forget(_ context: Reference<Context>) {
    guard let semaphore = context.object.semaphore else { return }
    if let previous = context.object.previousWaiting {
      previous.object.nextWaiting = context.object.nextWaiting
    } else {
      semaphore.object.first = context.object.nextWaiting
    }
    if let next = context.object.nextWaiting {
      next.object.previousWaiting = context.object.previousWaiting
    } else {
      semaphore.object.last = context.object.previousWaiting
    }
    context.object.nextWaiting = nil
    context.object.previousWaiting = nil
    context.object.semaphore = nil
    Scheduler.cancel(context)
  }

  /// Its capability is gone: who waits hears so.
  static func retire(_ semaphore: Reference<Semaphore>) {
    semaphore.object.isDead = true
    while let waiting = semaphore.object.first { wake(waiting, .aborted) }
    while let signal = semaphore.object.firstSignal {
      semaphore.object.firstSignal = signal.object.nextSignal
      signal.object.isSignaled = false
      signal.release()
    }
    semaphore.object.lastSignal = nil
    semaphore.release()
  }
}

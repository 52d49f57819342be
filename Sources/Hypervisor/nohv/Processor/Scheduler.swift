import CMachine
import FramePool
import HypercallABI
import Scheduling

/// What runs on each processor. A scheduling context runs whatever the chain of calls from its own context leads to.
enum Scheduler {
  struct Queues {
    var ready = ReadyQueue<SchedulingContext>()
    var timeouts = TimeoutQueue<Context>()
    var idle: Reference<Context>
    /// When the turn, or what is left of it, began.
    var start: UInt64 = 0
  }

  private static func queues(_ processor: UInt32) -> Reference<Queues> {
    Reference(address: unsafe Processors.at(Int(processor)).pointee.scheduler)
  }
  private static var own: Reference<Queues> { Reference(address: unsafe m_processor().pointee.scheduler) }

  /// What runs; nil on an idle processor.
  static var current: Reference<SchedulingContext>? {
    get {
      let address = unsafe m_processor().pointee.scheduling
      return address == 0 ? nil : Reference(address: address)
    }
    set { unsafe m_processor().pointee.scheduling = newValue?.address ?? 0 }
  }

  /// Before a processor does anything else.
  static func open(_ block: UnsafeMutablePointer<m_processor>) {
    precondition(MemoryLayout<Queues>.size <= 4096)
    let queues = Reference<Queues>(address: Memory.boot())
    let idle = Reference<Context>(address: Memory.boot())
    let message = unsafe MessageBlock(UnsafeMutablePointer(bitPattern: UInt(idle.address)).unsafelyUnwrapped)
    Contexts.fill(idle, Domains.kernel, unsafe block.pointee.number, message)
    idle.object.continuation = .idle
    queues.object = Queues(idle: idle)
    unsafe block.pointee.scheduler = queues.address
    unsafe block.pointee.scheduling = 0
    unsafe block.pointee.bit = 1 << UInt64(block.pointee.number)
    m_set_current(idle.address)
  }

  static func idle(_ processor: UInt32) -> Reference<Context> { queues(processor).object.idle }

  // MARK: Switching contexts

  /// The processor goes on with `next`, on behalf of the same scheduling context.
  @inline(__always) static func run(_ next: Reference<Context>) {
    let processor = unsafe m_processor()
    let old = Reference<Context>(address: unsafe processor.pointee.current)
    let now = m_rdtsc()
    unsafe old.object.time &+= now &- processor.pointee.since
    unsafe processor.pointee.since = now
    if old.object.floating | next.object.floating != 0 { FloatingPoint.change(to: next) }
    m_set_current(next.address)
    if old.object.root != next.object.root { enter(next, from: old) }
  }

  @inline(__always) private static func enter(_ next: Reference<Context>, from old: Reference<Context>) {
    let bit = unsafe m_processor().pointee.bit
    old.object.domain.object.processors &= ~bit
    next.object.domain.object.processors |= bit
    if unsafe m_processor().pointee.ports != 0 { Shootdown.forgetPorts() }
    m_set_cr3(next.object.root)
  }

  // MARK: Choosing

  /// Time that the turn has used. Returns whether it is over.
  private static func account() -> Bool {
    let now = m_rdtsc()
    let used = now &- own.object.start
    own.object.start = now
    guard let current else { return false }
    return current.object.budget.spend(used)
  }

  /// Somebody else may be more urgent, or a turn over.
  static func reschedule() {
    let isOver = account()
    if let current {
      self.current = nil
      if !current.object.isDead { own.object.ready.insert(current, first: !isOver) }
    }
    choose()
  }

  /// What runs gives up the rest of its turn.
  static func yield() {
    _ = account()
    if let current {
      self.current = nil
      current.object.budget.yield()
      if !current.object.isDead { own.object.ready.insert(current) }
    }
    choose()
  }

  /// What runs cannot go on before `context` does.
  static func park(on context: Reference<Context>) {
    _ = account()
    if let current {
      self.current = nil
      park(current, on: context)
    }
    choose()
  }

  private static func park(_ scheduling: Reference<SchedulingContext>, on context: Reference<Context>) {
    guard !scheduling.object.isDead else { return }
    scheduling.object.nextParked = context.object.parked
    scheduling.object.parkedOn = context
    context.object.parked = scheduling
  }

  /// What runs runs no more: it is dead, or its context is.
  static func drop() {
    _ = account()
    current = nil
    choose()
  }

  /// The most urgent that can run.
  private static func choose() {
    while let next = own.object.ready.next() {
      let end = chain(from: next.object.context)
      switch end.context.object.continuation {
      case .blocked, .waiting: park(next, on: end.context)
      // Whoever is left of a chain that ended: nobody waits for it.
      case .dead: continue
      default:
        current = next
        unsafe m_processor().pointee.links = end.links
        arm(m_rdtsc() &+ next.object.budget.left)
        return run(end.context)
      }
    }
    arm(.max)
    unsafe m_processor().pointee.links = 0
    run(own.object.idle)
  }

  /// Where calls have led to, and by how many.
  static func chain(from context: Reference<Context>) -> (context: Reference<Context>, links: UInt32) {
    var links: UInt32 = 0
    var end = context
    while let partner = end.object.partner {
      end = partner
      links &+= 1
    }
    return (end, links)
  }

  /// What runs goes on where its own chain leads to.
  static func resume() {
    guard let current else { return choose() }
    let end = chain(from: current.object.context)
    switch end.context.object.continuation {
    case .blocked, .waiting: park(on: end.context)
    case .dead: drop()
    default:
      unsafe m_processor().pointee.links = end.links
      run(end.context)
    }
  }

  /// Lends the current scheduling context to whom `context` waits for. False where that is the one who asks.
  static func help(_ context: Reference<Context>) -> Bool {
    let end = chain(from: context)
    guard end.context != .current else { return false }
    switch end.context.object.continuation {
    case .blocked: park(on: end.context)
    case .waiting, .dead: return false
    default:
      unsafe m_processor().pointee.links = end.links
      run(end.context)
    }
    return true
  }

  // MARK: Becoming ready

  static func ready(_ scheduling: Reference<SchedulingContext>) {
    guard !scheduling.object.isDead else { return }
    let processor = scheduling.object.processor
    queues(processor).object.ready.insert(scheduling)
    let running = unsafe Processors.at(Int(processor)).pointee.scheduling
    if running == 0
      || scheduling.object.priority > Reference<SchedulingContext>(address: running).object.priority
    {
      interrupt(processor)
    }
  }

  /// Lets a processor look again.
  static func interrupt(_ processor: UInt32) {
    let block = unsafe Processors.at(Int(processor))
    unsafe block.pointee.hazard |= Hazard.reschedule
    if unsafe block != m_processor() { LocalAPIC.send(Vector.reschedule, to: unsafe block.pointee.apic) }
  }

  /// All that waited for `context` to run may do so.
  static func unpark(_ context: Reference<Context>) {
    while let scheduling = context.object.parked {
      context.object.parked = scheduling.object.nextParked
      scheduling.object.nextParked = nil
      scheduling.object.parkedOn = nil
      ready(scheduling)
    }
  }

  /// Takes out one that is to run no more.
  static func remove(_ scheduling: Reference<SchedulingContext>) {
    queues(scheduling.object.processor).object.ready.remove(scheduling)
    if let context = scheduling.object.parkedOn {
      if context.object.parked == scheduling {
        context.object.parked = scheduling.object.nextParked
      } else {
        var at = context.object.parked
        while let other = at, other.object.nextParked != scheduling { at = other.object.nextParked }
        at?.object.nextParked = scheduling.object.nextParked
      }
      scheduling.object.nextParked = nil
      scheduling.object.parkedOn = nil
    }
    let block = unsafe Processors.at(Int(scheduling.object.processor))
    if unsafe block.pointee.scheduling == scheduling.address {
      unsafe block.pointee.scheduling = 0
      interrupt(scheduling.object.processor)
    }
  }

  // MARK: Time

  private static func arm(_ end: UInt64) {
    var deadline = end
    if let first = own.object.timeouts.first { deadline = min(deadline, first.object.deadline) }
    Clock.arm(deadline)
  }

  static func tick() {
    let now = m_rdtsc()
    while let context = own.object.timeouts.expired(now) { Semaphores.wake(context, .timeout) }
    unsafe m_processor().pointee.hazard |= Hazard.reschedule
  }

  static func wait(_ context: Reference<Context>, until deadline: UInt64) {
    queues(context.object.processor).object.timeouts.insert(context, at: deadline)
  }

  static func cancel(_ context: Reference<Context>) {
    queues(context.object.processor).object.timeouts.remove(context)
  }
}

import CMachine
import FramePool
import HypercallABI

/// Every entry's end: the current context goes on, or another that is to. Returns what entry.S does then, and lets go of the
/// lock.
@inline(__always) func leave() -> UInt64 {
  let context = Reference<Context>.current
  if m_hazard() | context.object.hazard == 0 {
    if context.object.continuation == .hypercall {
      Lock.release()
      return 3
    }
    if context.object.continuation == .interrupt {
      Lock.release()
      return 1
    }
    if context.object.continuation == .guest { return leave(into: context) }
  }
  return leaveSlowly()
}

@inline(never) private func leave(into guest: Reference<Context>) -> UInt64 {
  guard VirtualProcessors.enter(guest) else { return leaveSlowly() }
  Lock.release()
  return 2
}

/// The same, where the context that made a hypercall still runs, and goes on.
@inline(__always) func leave(_ context: Reference<Context>) -> UInt64 {
  guard m_hazard() | context.object.hazard == 0 else { return leaveSlowly() }
  Lock.release()
  return 0
}

@inline(never) func leaveSlowly() -> UInt64 {
  while true {
    let context = Reference<Context>.current
    if context.object.hazard & Hazard.dead != 0 {
      context.object.continuation = .dead
      unsafe m_processor().pointee.hazard = 0
      Scheduler.reschedule()
      if context.object.references == 0 { Contexts.free(context) }
      continue
    }
    if unsafe m_processor().pointee.hazard != 0 {
      unsafe m_processor().pointee.hazard = 0
      Scheduler.reschedule()
      continue
    }
    if context.object.hazard != 0, recall(context) { continue }
    switch context.object.continuation {
    case .hypercall:
      Lock.release()
      return 3
    case .interrupt:
      Lock.release()
      return 1
    case .guest:
      if VirtualProcessors.enter(context) {
        Lock.release()
        return 2
      }
    case .event: Portals.tell(context)
    case .calling: Portals.proxy(context)
    case .done: Portals.finishProxy(context)
    case .blocked: Scheduler.park(on: context)
    case .waiting, .called, .told, .dead: Scheduler.resume()
    case .idle:
      Lock.release()
      m_sti_hlt_cli()
      Lock.acquire()
    }
  }
}

private func recall(_ context: Reference<Context>) -> Bool {
  switch context.object.continuation {
  case .hypercall, .interrupt, .guest:
    context.object.hazard = 0
    context.object.event = context.object.isGuest ? Event.guestRecall : Event.recall
    context.object.continuation = .event
    return true
  default: return false
  }
}

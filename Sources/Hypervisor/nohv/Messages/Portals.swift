import CMachine
import FramePool
import HypercallABI
import Scheduling

/// Calls by portals, and replies to them.
enum Portals {
  // MARK: Calls

  @inline(__always) static func call(_ context: Reference<Context>, _ selector: UInt64, mayFail: Bool) {
    let capability = context.object.domain[selector]
    guard capability.allows(.portal, Right.call) else { return context.object.finish(.badCapability) }
    let portal = capability.object(Portal.self)
    let handler = portal.object.context
    guard handler.object.processor == context.object.processor else {
      return cross(context, portal, capability)
    }
    guard handler.object.continuation == .waiting else { return busy(context, handler, mayFail) }
    if context.object.message.counts >> 16 & 0xffff != 0 {
      guard Transfer.items(from: context, to: handler) else { return context.object.finish(.outOfQuota) }
    } else {
      Transfer.words(from: context.object.message, to: handler.object.message)
    }
    enter(handler, portal, from: context, .called)
  }

  @inline(__always)
  private static func enter(
    _ handler: Reference<Context>, _ portal: Reference<Portal>, from context: Reference<Context>,
    _ continuation: Continuation
  ) {
    context.object.continuation = continuation
    context.object.partner = handler
    handler.object.caller = context
    handler.object.registers.rdi = portal.object.id
    handler.object.registers.rip = portal.object.entry
    handler.object.continuation = .hypercall
    unsafe m_processor().pointee.links &+= 1
    Scheduler.run(handler)
  }

  /// The handler has another call: the caller helps it to an end, and then calls again.
  private static func busy(_ context: Reference<Context>, _ handler: Reference<Context>, _ mayFail: Bool) {
    guard handler.object.continuation != .dead else { return context.object.finish(.aborted) }
    guard !mayFail else { return context.object.finish(.timeout) }
    // SYSCALL is two bytes.
    context.object.registers.rip &-= 2
    guard !Scheduler.help(handler) else { return }
    context.object.registers.rip &+= 2
    context.object.finish(.aborted)
  }

  // MARK: Calls to another processor

  /// A proxy there calls for the context, which waits.
  private static func cross(_ context: Reference<Context>, _ portal: Reference<Portal>, _ capability: Capability) {
    let handler = portal.object.context
    guard capability.allows(.portal, Right.call | Right.crossProcessors) else {
      return context.object.finish(.badProcessor)
    }
    guard !handler.object.isDead else { return context.object.finish(.aborted) }
    let domain = context.object.domain
    guard let proxy: Reference<Context> = unsafe Memory.object(&Memory.contexts, of: domain) else {
      return context.object.finish(.outOfQuota)
    }
    Contexts.fill(proxy, domain, handler.object.processor, context.object.message)
    proxy.object.origin = context
    let lender = Scheduler.current
    guard
      let scheduling = SchedulingContexts.make(
        domain, proxy, priority: lender?.object.priority ?? 1, quantum: lender?.object.budget.quantum ?? 1)
    else {
      // Without an origin it would take the message block along.
      unsafe Memory.free(proxy, &Memory.contexts, of: domain)
      domain.release()
      return context.object.finish(.outOfQuota)
    }
    context.retain()
    portal.object.references &+= 1
    proxy.object.event = portal.address
    proxy.object.continuation = .calling
    context.object.continuation = .blocked
    Scheduler.ready(scheduling)
  }

  /// What a proxy does on its processor.
  static func proxy(_ context: Reference<Context>) {
    let portal = Reference<Portal>(address: context.object.event)
    let handler = portal.object.context
    guard let origin = context.object.origin, !origin.object.isDead, !handler.object.isDead else {
      context.object.finish(.aborted)
      context.object.continuation = .done
      return
    }
    guard handler.object.continuation == .waiting else {
      guard !Scheduler.help(handler) else { return }
      context.object.finish(.aborted)
      context.object.continuation = .done
      return
    }
    guard Transfer.items(from: context, to: handler) else {
      context.object.finish(.outOfQuota)
      context.object.continuation = .done
      return
    }
    enter(handler, portal, from: context, .called)
  }

  /// Its caller goes on, and it is gone.
  static func finishProxy(_ context: Reference<Context>) {
    let portal = Reference<Portal>(address: context.object.event)
    let scheduling = Scheduler.current
    if let origin = context.object.origin {
      if !origin.object.isDead, origin.object.continuation == .blocked {
        origin.object.registers.rdi = context.object.registers.rdi
        origin.object.continuation = .hypercall
        Scheduler.unpark(origin)
      }
    }
    Scheduler.drop()
    portal.release()
    let origin = context.object.origin
    scheduling?.object.isDead = true
    scheduling?.release()
    context.release()
    origin?.release()
  }

  // MARK: Events

  /// An exception, or an exit of a guest's: told by the portal at the event base plus its number.
  static func raise(_ event: UInt64, by context: Reference<Context>) {
    context.object.event = event
    context.object.continuation = .event
  }

  static func tell(_ context: Reference<Context>) {
    let selector = context.object.eventBase &+ context.object.event
    let capability = context.object.domain[selector]
    guard capability.allows(.portal, Right.call) else { return die(context, "no portal for event") }
    let portal = capability.object(Portal.self)
    let handler = portal.object.context
    guard handler.object.processor == context.object.processor else {
      return die(context, "on another processor is the handler of event")
    }
    guard handler.object.continuation == .waiting else {
      guard handler.object.continuation != .dead, Scheduler.help(handler) else {
        return die(context, "no handler lives, or none but itself, for event")
      }
      return
    }
    let descriptor = MessageDescriptor(rawValue: portal.object.descriptor)
    if context.object.isGuest {
      VirtualProcessors.load(handler.object.message, from: context, descriptor)
    } else {
      ThreadState.load(handler.object.message, from: context, descriptor)
    }
    enter(handler, portal, from: context, .told)
  }

  // MARK: Replies

  /// The caller goes on; with `semaphore`, when that lets it.
  @inline(__always) static func reply(_ context: Reference<Context>, _ selector: UInt64) {
    guard let caller = context.object.caller else {
      context.object.continuation = context.object.isGlobal ? .dead : .waiting
      return Scheduler.resume()
    }
    if caller.object.continuation == .called {
      if context.object.message.counts >> 16 & 0xffff != 0 {
        guard Transfer.items(from: context, to: caller) else { return context.object.finish(.outOfQuota) }
      } else {
        Transfer.words(from: context.object.message, to: caller.object.message)
      }
      caller.object.finish(.success)
      caller.object.continuation = caller.object.origin == nil ? .hypercall : .done
    } else {
      guard resumeEvent(caller, context) else { return context.object.finish(.outOfQuota) }
    }
    caller.object.partner = nil
    context.object.caller = nil
    context.object.continuation = .waiting
    if selector != 0 { wait(caller, context, selector) }
    if unsafe m_processor().pointee.links != 0 {
      unsafe m_processor().pointee.links &-= 1
      Scheduler.run(caller)
    } else {
      Scheduler.resume()
    }
  }

  private static func wait(_ caller: Reference<Context>, _ context: Reference<Context>, _ selector: UInt64) {
    let capability = context.object.domain[selector]
    guard capability.allows(.semaphore, Right.down), caller.object.continuation == .hypercall else { return }
    _ = Semaphores.down(capability.object(), caller, toZero: false, 0)
  }

  @inline(never)
  private static func resumeEvent(_ caller: Reference<Context>, _ handler: Reference<Context>) -> Bool {
    let message = handler.object.message
    if message.typed != 0, !Transfer.typed(from: handler, to: caller, count: message.typed) { return false }
    let descriptor = MessageDescriptor(rawValue: message[MessageBlock.State.descriptor])
    if caller.object.isGuest {
      VirtualProcessors.store(message, to: caller, descriptor)
      caller.object.continuation = .guest
    } else {
      ThreadState.store(message, to: caller, descriptor)
      caller.object.continuation = .interrupt
    }
    return true
  }

  // MARK: Ends

  nonisolated(unsafe) private static var lines = 64

  /// A context that cannot go on. Whoever waits for its reply hears so.
  static func die(_ context: Reference<Context>, _ why: StaticString) {
    if unsafe lines > 0 {
      unsafe lines -= 1
      let registers = context.object.registers
      Console.line(
        "nohv: a context ends: \(why) \(context.object.event), at \(hex: registers.rip), cr2 \(hex: m_cr2())")
    }
    context.object.continuation = .dead
    abort(callerOf: context)
  }

  static func abort(callerOf context: Reference<Context>) {
    var dead = context
    while let caller = dead.object.caller {
      dead.object.caller = nil
      caller.object.partner = nil
      if caller.object.continuation == .called {
        caller.object.finish(.aborted)
        caller.object.continuation = caller.object.origin == nil ? .hypercall : .done
        Scheduler.unpark(dead)
        return
      }
      // Its event has no handler any more.
      caller.object.continuation = .dead
      dead = caller
    }
    Scheduler.unpark(dead)
  }
}

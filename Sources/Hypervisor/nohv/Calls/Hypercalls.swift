import CMachine
import Capabilities
import FramePool
import HypercallABI
import Scheduling

/// A hypercall: decode, act, leave. The ways of those that come most are kept apart, so that none pays for another's.
@c(kernel_call) func kernelCall(_ frame: UnsafeMutablePointer<m_registers>) -> UInt64 {
  Lock.acquire()
  let context = Reference<Context>(address: UInt64(UInt(bitPattern: frame)))
  let word = unsafe frame.pointee.rdi
  // The shortest, which goes back at once and so says nothing of how it goes on.
  if word & 0xf == 0xb, let capability = context.object.domain.object.slots.near(word >> 8) {
    guard Capability(rawValue: capability).allows(.portal, Right.controlPortal) else { return denied(context) }
    Capability(rawValue: capability).object(Portal.self).object.id = context.object.registers.rsi
    context.object.finish(.success)
    if m_hazard() | context.object.hazard == 0 {
      Lock.release()
      return 0
    }
    context.object.continuation = .hypercall
    return leaveSlowly()
  }
  context.object.continuation = .hypercall
  switch word & 0xf {
  case 0x0: return call(context, word)
  case 0x1: return reply(context, word)
  case 0xc: return word & 0x10 == 0 ? up(context, word) : down(context, word)
  default: return others(context, word)
  }
}

@inline(never) private func call(_ context: Reference<Context>, _ word: UInt64) -> UInt64 {
  Portals.call(context, word >> 8, mayFail: word & 0x10 != 0)
  return leave()
}

@inline(never) private func reply(_ context: Reference<Context>, _ word: UInt64) -> UInt64 {
  Portals.reply(context, word >> 8)
  return leave()
}

@inline(never) private func up(_ context: Reference<Context>, _ word: UInt64) -> UInt64 {
  let capability = context.object.domain[word >> 8]
  guard capability.allows(.semaphore, Right.up) else { return fail(context) }
  let semaphore = capability.object(Semaphore.self)
  context.object.finish(.success)
  if semaphore.object.isPlain, semaphore.object.first == nil, semaphore.object.count < .max {
    semaphore.object.count &+= 1
    return leave(context)
  }
  Semaphores.up(semaphore)
  return leaveSlowly()
}

@inline(never) private func down(_ context: Reference<Context>, _ word: UInt64) -> UInt64 {
  let capability = context.object.domain[word >> 8]
  guard capability.allows(.semaphore, Right.down) else { return fail(context) }
  let semaphore = capability.object(Semaphore.self)
  if semaphore.object.isPlain, semaphore.object.count > 0, word & 0x20 == 0 {
    semaphore.object.count &-= 1
    context.object.finish(.success)
    return leave(context)
  }
  let deadline = context.object.registers.rsi << 32 | context.object.registers.rdx & 0xffff_ffff
  _ = Semaphores.down(semaphore, context, toZero: word & 0x20 != 0, deadline)
  return leaveSlowly()
}

@inline(never) private func fail(_ context: Reference<Context>) -> UInt64 {
  context.object.finish(.badCapability)
  return leave(context)
}

@inline(never) private func denied(_ context: Reference<Context>) -> UInt64 {
  context.object.continuation = .hypercall
  return fail(context)
}

@inline(never) private func others(_ context: Reference<Context>, _ word: UInt64) -> UInt64 {
  others(context, UInt8(word & 0xf), word >> 8, word >> 4 & 0xf)
  return leave()
}

@inline(never)
private func others(_ context: Reference<Context>, _ number: UInt8, _ selector: UInt64, _ flags: UInt64) {
  let status: Status
  switch Hypercall(rawValue: number) {
  case .createProtectionDomain: status = Creation.protectionDomain(context, selector)
  case .createExecutionContext: status = Creation.executionContext(context, selector, flags)
  case .createSchedulingContext: status = Creation.schedulingContext(context, selector)
  case .createPortal: status = Creation.portal(context, selector)
  case .createSemaphore: status = Creation.semaphore(context, selector)
  case .revoke: return Revocation.revoke(context, selector, flags)
  case .misc: status = Miscellany.call(context, selector, flags)
  case .controlExecutionContext:
    guard let result = ContextControl.call(context, selector, flags) else { return }
    status = result
  case .controlSchedulingContext: status = controlSchedulingContext(context, selector, flags)
  case .controlProtectionDomain: status = controlProtectionDomain(context, selector, flags)
  case .assignInterrupt: status = InterruptAssignment.assign(context, selector, flags)
  // Until there are IOMMUs.
  case .assignPCI: status = .badFeature
  case .controlPortal: status = controlPortal(context, selector)
  default: status = .badHypercall
  }
  context.object.finish(status)
}

private func controlPortal(_ context: Reference<Context>, _ selector: UInt64) -> Status {
  let capability = context.object.domain[selector]
  guard capability.allows(.portal, Right.controlPortal) else { return .badCapability }
  capability.object(Portal.self).object.id = context.object.registers.rsi
  return .success
}

private func controlSchedulingContext(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) -> Status {
  let capability = context.object.domain[selector]
  guard capability.allows(.schedulingContext, Right.controlSchedulingContext) else { return .badCapability }
  let scheduling = capability.object(SchedulingContext.self)
  let ticks: UInt64
  switch flags & 3 {
  case 0: ticks = scheduling.object.budget.used
  case 1: ticks = scheduling.object.cross
  // Time of contexts that are gone is not kept.
  case 2: ticks = 0
  default: ticks = scheduling.object.context.object.time
  }
  let time = Clock.microseconds(ticks: ticks)
  context.object.registers.rsi = time >> 32
  context.object.registers.rdx = time & 0xffff_ffff
  if flags & 3 == 3 {
    context.object.registers.rsi = Clock.microseconds(ticks: scheduling.object.budget.used)
    context.object.registers.rdx = time
  }
  return .success
}

private func controlProtectionDomain(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) -> Status {
  let capability = context.object.domain[selector]
  guard capability.allows(.protectionDomain, Right.create(.protectionDomain)) else { return .badCapability }
  let domain = capability.object(ProtectionDomain.self)
  switch flags {
  case 2:
    context.object.registers.rsi = domain.object.quota.pages
    context.object.registers.rdx = domain.object.quota.usedPages
    return .success
  case 0:
    let target = context.object.domain[context.object.registers.rsi]
    guard target.allows(.protectionDomain, Right.create(.protectionDomain)) else { return .badCapability }
    let other = target.object(ProtectionDomain.self)
    guard other != domain else { return .success }
    return domain.object.quota.transfer(pages: context.object.registers.rdx, to: &other.object.quota)
      ? .success : .outOfQuota
  default: return .badParameter
  }
}

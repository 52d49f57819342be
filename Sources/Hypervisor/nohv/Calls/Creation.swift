import CMachine
import Capabilities
import FramePool
import HypercallABI

/// The hypercalls that make objects. Each new one is the caller's, with all rights, at the selector that it names.
enum Creation {
  /// The domain that a new object of `kind` belongs to, as RSI names it.
  private static func domain(_ context: Reference<Context>, _ kind: ObjectKind) -> Reference<ProtectionDomain>? {
    let capability = context.object.domain[context.object.registers.rsi]
    guard capability.allows(.protectionDomain, Right.create(kind)) else { return nil }
    let domain = capability.object(ProtectionDomain.self)
    return domain.object.isDead ? nil : domain
  }

  /// Puts a new object where the caller wants it.
  static func plant<T>(
    _ kind: ObjectKind, _ object: Reference<T>, _ domain: Reference<ProtectionDomain>, _ selector: UInt64,
    rights: UInt64 = Right.all
  ) -> Status {
    guard selector < InformationPage.selectorLimit, domain.object.slots[selector] == 0 else { return .badCapability }
    var tables = Tables()
    let space = domain.objectSpace
    guard let mapping = tables.allocate(space) else { return .outOfQuota }
    mapping.object = Mapping(
      space: space, base: selector, source: Capability(kind, object).rawValue, rights: rights)
    guard MappingTree.plant(mapping, &tables) else {
      tables.free(mapping)
      return .outOfQuota
    }
    return .success
  }

  static func protectionDomain(_ context: Reference<Context>, _ selector: UInt64) -> Status {
    guard let parent = domain(context, .protectionDomain) else { return .badCapability }
    let registers = context.object.registers
    let pages = registers.rax & 0xffff_ffff
    guard let new = Domains.make(parent: parent, pages: pages) else { return .outOfQuota }
    let status = plant(.protectionDomain, new, context.object.domain, selector)
    guard status == .success else {
      new.release()
      return status
    }
    let range = CapabilityRange(rawValue: registers.rdx)
    if range.kind != .none {
      var tables = Tables()
      let window = CapabilityRange(range.kind, base: 0, order: 31)
      // What does not fit into its quota, it has not.
      _ = Transfer.delegate(TypedItem(range, word: 1), window, context.object.domain, new, &tables)
      tables.finish()
    }
    return .success
  }

  static func executionContext(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) -> Status {
    guard let domain = domain(context, .executionContext) else { return .badCapability }
    let registers = context.object.registers
    let (processor, block) = (registers.rdx & 0xfff, registers.rdx & ~0xfff)
    guard unsafe processor < UInt64(Processors.count) else { return .badProcessor }
    guard block < Root.userEnd, registers.r8 <= InformationPage.selectorLimit - 256 else { return .badParameter }
    if block == 0, unsafe !Features.svm { return .badFeature }
    let (made, status) = Contexts.make(domain, processor: UInt32(processor), block: block, charged: domain)
    guard let new = made else { return status }
    new.object.eventBase = registers.r8
    new.object.registers.rsp = registers.rax
    new.object.isGlobal = flags & 1 != 0 || block == 0
    if block == 0 {
      guard VirtualProcessors.make(new) else {
        new.release()
        return .outOfQuota
      }
    }
    let planted = plant(.executionContext, new, context.object.domain, selector)
    if planted != .success { new.release() }
    return planted
  }

  static func schedulingContext(_ context: Reference<Context>, _ selector: UInt64) -> Status {
    guard let domain = domain(context, .schedulingContext) else { return .badCapability }
    let registers = context.object.registers
    let capability = context.object.domain[registers.rdx]
    guard capability.allows(.executionContext, Right.bindSchedulingContext) else { return .badCapability }
    let bound = capability.object(Context.self)
    guard bound.object.isGlobal, bound.object.continuation == .waiting else { return .badCapability }
    let (priority, budget) = (registers.rax & 0x7f, registers.rax >> 12)
    guard registers.rax & 0xfff == priority, priority > 0, budget > 0, budget < 1 << 40 else { return .badParameter }
    let quantum = Clock.ticks(microseconds: budget)
    guard let new = SchedulingContexts.make(domain, bound, priority: UInt8(priority), quantum: quantum) else {
      return .outOfQuota
    }
    let status = plant(.schedulingContext, new, context.object.domain, selector)
    guard status == .success else {
      new.release()
      return status
    }
    Portals.raise(bound.object.isGuest ? Event.guestStartup : Event.startup, by: bound)
    Scheduler.ready(new)
    return .success
  }

  static func portal(_ context: Reference<Context>, _ selector: UInt64) -> Status {
    guard let domain = domain(context, .portal) else { return .badCapability }
    let registers = context.object.registers
    let capability = context.object.domain[registers.rdx]
    guard capability.allows(.executionContext, Right.bindPortal) else { return .badCapability }
    let handler = capability.object(Context.self)
    guard !handler.object.isGlobal else { return .badCapability }
    // SYSRET to an address that is none would fault in the kernel on Intel's.
    guard registers.r8 < Root.userEnd else { return .badParameter }
    guard let new: Reference<Portal> = unsafe Memory.object(&Memory.portals, of: domain) else { return .outOfQuota }
    domain.retain()
    handler.retain()
    new.object = Portal(context: handler, domain: domain, entry: registers.r8, descriptor: registers.rax)
    let status = plant(.portal, new, context.object.domain, selector)
    if status != .success { new.release() }
    return status
  }

  static func semaphore(_ context: Reference<Context>, _ selector: UInt64) -> Status {
    guard let domain = domain(context, .semaphore) else { return .badCapability }
    let registers = context.object.registers
    var target: Reference<Semaphore>?
    if registers.rax != 0 {
      let capability = context.object.domain[registers.rax]
      guard capability.allows(.semaphore, Right.up) else { return .badCapability }
      let signaled = capability.object(Semaphore.self)
      // One deep: an up must end.
      guard signaled.object.target == nil else { return .badParameter }
      target = signaled
    }
    guard let new = Semaphores.make(domain, count: target == nil ? registers.rdx : 0) else { return .outOfQuota }
    if let target {
      target.retain()
      new.object.target = target
      new.object.value = registers.rdx
      new.object.isPlain = false
    }
    let status = plant(.semaphore, new, context.object.domain, selector)
    if status != .success { new.release() }
    return status
  }
}

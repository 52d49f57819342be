import CHypercall
import HypercallABI
import UserRuntime

// Delegation, revocation, quotas, domains and their ends; events; threads on several processors.

nonisolated(unsafe) private var done: UInt64 = 0
nonisolated(unsafe) private var faultAddress: UInt64 = 0
nonisolated(unsafe) private var faults: UInt64 = 0
nonisolated(unsafe) private var log: UInt64 = 0
nonisolated(unsafe) private var lock: UInt64 = 0
/// Which nobody ups.
nonisolated(unsafe) private var grave: UInt64 = 0

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  unsafe done = Suite.semaphore()
  unsafe lock = Suite.semaphore()
  unsafe grave = Suite.semaphore()
  unsafe Console.line("suite: trees", Suite.failures)
  trees()
  unsafe Console.line("suite: memory", Suite.failures)
  memory()
  unsafe Console.line("suite: quotas", Suite.failures)
  quotas()
  unsafe Console.line("suite: domains", Suite.failures)
  domains()
  unsafe Console.line("suite: priorities", Suite.failures)
  priorities()
  floatingPoint()
  replies()
  if Information.processors > 1 { processors() }
  Suite.end()
}

private func object(_ selector: UInt64, _ rights: UInt64 = 0x1f) -> CapabilityRange {
  CapabilityRange(.objects, base: selector, order: 0, rights: rights)
}

/// Within the root task's own domain, four deep.
private func trees() {
  let sm = Suite.selector(8)
  Suite.expect("create", Kernel.createSemaphore(sm, count: 100), 0)
  for depth in UInt64(0)..<4 {
    Suite.expect("give", Kernel.delegate(object(sm + depth), to: object(sm + depth + 1), Suite.block), 0)
  }
  Suite.expect("the last is the first", Kernel.down(sm + 4).status, 0)
  Suite.expect("over what is there", Kernel.delegate(object(unsafe done), to: object(sm + 2), Suite.block), 0)
  Suite.expect("nothing is replaced", Kernel.down(sm + 2).status, 0)
  Suite.expect("take up's right from the third on", Kernel.revoke(object(sm + 2, 1), itself: true), 0)
  Suite.expect("the second has it", Kernel.up(sm + 1), 0)
  Suite.expect("the third has not", Kernel.up(sm + 2), Status.badCapability.rawValue)
  Suite.expect("nor the last", Kernel.up(sm + 4), Status.badCapability.rawValue)
  Suite.expect("which has down", Kernel.down(sm + 4).status, 0)
  Suite.expect("take all below the first", Kernel.revoke(object(sm), itself: false), 0)
  Suite.expect("the first is there", Kernel.down(sm).status, 0)
  Suite.expect("the second is not", Kernel.down(sm + 1).status, Status.badCapability.rawValue)
  Suite.expect("the last is not", Kernel.down(sm + 4).status, Status.badCapability.rawValue)
  // Wide, in more than one step.
  let many = Suite.selector(500)
  for index in UInt64(0)..<500 { _ = Kernel.delegate(object(sm), to: object(many + index), Suite.block) }
  Suite.expect("the last of many", Kernel.down(many + 499).status, 0)
  Suite.expect("take all, and hear of it", Kernel.raw(7, unsafe done, flags: 1, object(sm).rawValue).status, 0)
  Suite.expect("heard", Kernel.down(unsafe done).status, 0)
  Suite.expect("none is left", Kernel.down(many + 250).status, Status.badCapability.rawValue)
  Suite.expect("revoke nothing", Kernel.revoke(object(sm)), 0)
  Suite.expect("revoke of no kind", Kernel.raw(7, 0, 0).status, Status.badParameter.rawValue)
}

private func memory() {
  let events = Threads.events()
  let page = Suite.memory()
  h_store(page, 0x1234)
  let copy = Suite.page()
  let source = CapabilityRange(.memory, base: page >> 12, order: 0, rights: 1)
  Suite.expect(
    "give a page for reading",
    Kernel.delegate(source, to: CapabilityRange(.memory, base: copy >> 12, order: 0), Suite.block), 0)
  Suite.expect("the same bytes", h_load(copy), 0x1234)
  h_store(page, 0x5678)
  Suite.expect("still", h_load(copy), 0x5678)
  // A thread that writes there, and reads it when it is gone.
  unsafe faultAddress = copy
  _ = Threads.start(1, events: events)
  Suite.expect("it ends", Kernel.down(unsafe done).status, 0)
  Suite.expect("one write faulted", unsafe faults, 1)
  Suite.expect("nothing was written", h_load(page), 0x5678)
  Suite.expect("take it back", Kernel.revoke(source, itself: false), 0)
  _ = Threads.start(2, events: events)
  Suite.expect("it ends", Kernel.down(unsafe done).status, 0)
  Suite.expect("one read faulted", unsafe faults, 2)
  // The kernel's memory is nobody's.
  for index in 0..<Information.memoryCount where Information.memory(index).type == InformationPage.Memory.kernel {
    let address = Information.memory(index).address
    let place = Suite.page()
    let range = CapabilityRange(.memory, base: address >> 12, order: 0, rights: 7)
    _ = Kernel.delegate(range, to: CapabilityRange(.memory, base: place >> 12, order: 0), bits: 1 << 11, Suite.block)
    Suite.expect(
      "the kernel's memory", Kernel.lookup(CapabilityRange(.memory, base: place >> 12, order: 0)).rawValue, 0)
  }
  let high = CapabilityRange(.memory, base: Root.userEnd >> 12, order: 0)
  Suite.expect(
    "into the kernel's addresses", Kernel.delegate(source, to: high, Suite.block), Status.outOfQuota.rawValue)
}

private func quotas() {
  let before = Kernel.quota(of: Root.protectionDomain)
  let domain = Suite.selector()
  Suite.expect("a domain without quota", Kernel.createDomain(domain, pages: 0), 0)
  Suite.expect("creates nothing", Kernel.createSemaphore(Suite.selector(), in: domain), Status.outOfQuota.rawValue)
  Suite.expect("give it some", Kernel.raw(0xf, Root.protectionDomain, domain, 3).status, 0)
  Suite.expect("it has", Kernel.quota(of: domain).limit, 3)
  var made: UInt64 = 0
  let first = Suite.selector(1000)
  while made < 1000, Kernel.createSemaphore(first + made, in: domain) == 0 { made += 1 }
  Suite.expect("some, but not all", made > 10 && made < 1000)
  Suite.expect("more than there is", Kernel.createDomain(Suite.selector(), pages: 1 << 30), Status.outOfQuota.rawValue)
  for index in 0..<made { _ = Kernel.revoke(object(first + index)) }
  Suite.expect("all of it is back", Kernel.quota(of: domain).used, 0)
  Suite.expect("the domain goes", Kernel.revoke(object(domain)), 0)
  let after = Kernel.quota(of: Root.protectionDomain)
  Suite.expect("limits are as before", after.limit, before.limit)
  Suite.expect("use is as before", after.used, before.used)
}

private func domains() {
  let before = Kernel.quota(of: Root.protectionDomain)
  let domain = Threads.domain()
  let events = Suite.selector(256)
  let handler = Suite.selector()
  let block = Suite.handler(handler)
  _ = block
  Suite.expect("startup", Kernel.createPortal(events + 30, for: handler, descriptor: 0xc, id: 0x1001), 0)
  Threads.give(events + 30, to: domain, at: 0x400 + 30)
  Threads.give(unsafe done, to: domain, at: unsafe done, rights: 1)
  let thread = Threads.start(3, in: domain, events: 0x400)
  Suite.expect("a thread in a domain ups", Kernel.down(unsafe done).status, 0)
  Suite.expect("and cannot down", unsafe log, Status.badCapability.rawValue)
  Suite.expect("the domain goes", Kernel.revoke(object(domain)), 0)
  Suite.expect("its thread", Kernel.revoke(object(thread.context)), 0)
  Suite.expect("its time", Kernel.revoke(object(thread.scheduling)), 0)
  Suite.expect("the handler", Kernel.revoke(object(handler)), 0)
  Suite.expect("the portal", Kernel.revoke(object(events + 30)), 0)
  // The stacks that were mapped for it stay: pages of mappings, a few of which may begin a page of a pool.
  let after = Kernel.quota(of: Root.protectionDomain)
  Suite.expect("limits are as before", after.limit, before.limit)
  Suite.expect("use is nearly as before", after.used <= before.used + 3)
}

private func priorities() {
  let events = Threads.events()
  unsafe log = 0
  let first = Threads.start(10, priority: 5, events: events)
  let second = Threads.start(11, priority: 9, events: events)
  let third = Threads.start(12, priority: 2, events: events)
  // Each ran as soon as it could, as all are more urgent than the root task, and waits for `lock`.
  for _ in 0..<3 { _ = Kernel.up(unsafe lock) }
  for _ in 0..<3 { Suite.expect("one ends", Kernel.down(unsafe done).status, 0) }
  Suite.expect("who waits is served in turn", unsafe log, 0x0a0b0c)
  Suite.expect("an end", Kernel.revoke(object(first.context)), 0)
  Suite.expect("an end", Kernel.revoke(object(second.context)), 0)
  Suite.expect("an end", Kernel.revoke(object(third.context)), 0)
}

nonisolated(unsafe) private var busy: UInt64 = 0

/// What one thread has in floating-point registers no other finds there, nor loses.
private func floatingPoint() {
  let events = Threads.events()
  h_push_one()
  _ = Threads.start(40, priority: 5, events: events)
  // A processor has a NaN there; QEMU 7.2 knows no faults of an empty stack, and has a 0.
  Suite.expect("a new thread finds an empty stack", unsafe log == 0xfff8_0000_0000_0000 || log == 0)
  _ = Kernel.down(unsafe done)
  Suite.expect("ours is as it was", h_pop_double(), 0x3ff0_0000_0000_0000)
}

/// A reply that has the caller wait.
private func replies() {
  let gate = Suite.selector(3)
  Suite.expect("a gate", Kernel.createSemaphore(gate), 0)
  _ = Suite.handler(gate + 1)
  Suite.expect("a portal", Kernel.createPortal(gate + 2, for: gate + 1, id: 0x3000), 0)
  unsafe busy = gate
  let events = Threads.events()
  unsafe log = 0
  _ = Threads.start(41, priority: 5, events: events)
  // It called, and its reply has it wait at the gate.
  Suite.block.setCounts(untyped: 1)
  let own = Kernel.down(unsafe done, deadline: 1).status
  Suite.expect("it waits", own, Status.timeout.rawValue)
  Suite.expect("open the gate", Kernel.up(gate), 0)
  Suite.expect("it went on", Kernel.down(unsafe done).status, 0)
  Suite.expect("with success", unsafe log, 100)

  // What a sender got from its receiver, the receiver knows under its own name.
  let given = Suite.selector(2)
  Suite.expect("give", Kernel.delegate(object(gate), to: object(given), Suite.block), 0)
  let other = Suite.selector(2)
  _ = Suite.handler(other)
  Suite.expect("a portal", Kernel.createPortal(other + 1, for: other, id: 0x3001), 0)
  Suite.block.setCounts(untyped: 0)
  Suite.expect("it opens its window", Kernel.call(other + 1), 0)
  Suite.block.setCounts(untyped: 0, typed: 1)
  Suite.block.setItem(0, TypedItem(object(given), word: 0))
  Suite.expect("a translation", Kernel.call(other + 1), 0)
  Suite.expect("it is the gate", unsafe log, gate)
}

private func processors() {
  let far = Suite.selector(3)
  _ = Suite.handler(far, processor: 1)
  Suite.expect("a portal there", Kernel.createPortal(far + 1, for: far, id: 3), 0)
  Suite.block.setCounts(untyped: 2)
  Suite.block.setWord(0, 4)
  Suite.expect("a call to another processor", Kernel.call(far + 1), 0)
  Suite.expect("is answered", Suite.block.word(0), 7)
  Suite.expect("without the right", Kernel.delegate(object(far + 1, 2), to: object(far + 2), Suite.block), 0)
  Suite.expect("it is not made", Kernel.call(far + 2), Status.badProcessor.rawValue)
  for _ in 0..<200 {
    Suite.block.setCounts(untyped: 1)
    if Kernel.call(far + 1) != 0 { Suite.expect("one of many", false) }
  }
  let events = Threads.events(processor: 1)
  let count = UInt64(50)
  for _ in 0..<count {
    let thread = Threads.start(30, processor: 1, priority: 3, events: events)
    Suite.expect("a thread there ends", Kernel.down(unsafe done).status, 0)
    Suite.expect("its end", Kernel.revoke(object(thread.context)), 0)
  }
  // Pages that go while they are in use there.
  unsafe faults = 0
  for _ in 0..<20 {
    let page = Suite.memory()
    unsafe faultAddress = page
    let thread = Threads.start(31, processor: 1, priority: 3, events: events)
    Suite.expect("it uses the page", Kernel.down(unsafe done).status, 0)
    Suite.expect("which goes", Kernel.revoke(CapabilityRange(.memory, base: page >> 12, order: 0)), 0)
    Suite.expect("it hears so", Kernel.down(unsafe done).status, 0)
    Suite.expect("its end", Kernel.revoke(object(thread.context)), 0)
  }
  Suite.expect("each faulted once", unsafe faults, 20)
  // Threads that end while they run, alone and in a handler that ends first.
  let before = Kernel.quota(of: Root.protectionDomain)
  for turn in UInt64(0)..<30 {
    let handler = Suite.selector(2)
    let stack = Suite.memory(1)
    Suite.expect("a handler", Kernel.createContext(handler, block: Suite.page(), processor: 1, stack: stack + 4096), 0)
    Suite.expect("its portal", Kernel.createPortal(handler + 1, for: handler, entry: h_spin_address()), 0)
    unsafe busy = handler + 1
    let thread = Threads.start(turn % 2 == 0 ? 32 : 20, processor: 1, priority: 3, events: events)
    if turn % 2 == 0 { Suite.expect("it runs", Kernel.down(unsafe done).status, 0) }
    let end = h_rdtsc() + Information.kilohertz * 2
    while h_rdtsc() < end { h_pause() }
    Suite.expect("the handler's end", Kernel.revoke(object(handler)), 0)
    Suite.expect("its portal's", Kernel.revoke(object(handler + 1)), 0)
    if turn % 2 == 1 { Suite.expect("its caller is told", Kernel.down(unsafe done).status, 0) }
    Suite.expect("its end", Kernel.revoke(object(thread.context)), 0)
    Suite.expect("its time's", Kernel.revoke(object(thread.scheduling)), 0)
  }
  let end = h_rdtsc() + Information.kilohertz * 20
  while h_rdtsc() < end { _ = Kernel.raw(9, 0, flags: 1) }
  // Stacks and their page tables stay, and mappings of them.
  let after = Kernel.quota(of: Root.protectionDomain)
  Suite.expect("all of them are gone", after.used <= before.used + 8)
}

@c(user_thread) func userThread(_ argument: UInt64) {
  switch argument {
  case 1: h_store(unsafe faultAddress, 1)
  case 2: _ = h_load(unsafe faultAddress)
  case 3: unsafe log = Kernel.down(done).status
  case .max: break
  case 10...12:
    _ = Kernel.down(unsafe lock)
    unsafe log = log << 8 | argument
  case 20: _ = Kernel.call(unsafe busy)
  case 40:
    unsafe log = h_pop_double()
    h_push_one()
    h_push_one()
  case 41: unsafe log = 100 + Kernel.call(busy + 2)
  case 32:
    _ = Kernel.up(unsafe done)
    while true { h_pause() }
  case 31:
    h_store(unsafe faultAddress, 1)
    _ = Kernel.up(unsafe done)
    while true { h_store(unsafe faultAddress, 2) }
  default: break
  }
  finish()
}

/// Tells the root task, and waits for its own end.
private func finish() -> Never {
  _ = Kernel.up(unsafe done)
  while true { _ = Kernel.down(unsafe grave) }
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  switch id {
  case 0x1001:
    block[MessageBlock.State.rip] = h_thread_address()
    block[MessageBlock.State.descriptor] = MessageDescriptor.instructionPointer.rawValue
    block.counts = 0
  case 0x1002:
    // The thread goes on where it ends.
    unsafe faults += 1
    if unsafe block[MessageBlock.State.qualification2] != faultAddress { unsafe faults += 1000 }
    block[MessageBlock.State.rip] = h_end_address()
    block[MessageBlock.State.descriptor] = MessageDescriptor.instructionPointer.rawValue
    block.counts = 0
  case 0x3000:
    block.counts = 0
    _ = Kernel.raw(1, unsafe busy)
  case 0x3001:
    if block.typed == 1 { unsafe log = block.item(0).range.base }
    block.translateWindow = CapabilityRange(.objects, base: 0, order: 26)
    block.setCounts(untyped: 0)
  default: for index in 0..<Int(block.untyped) { block.setWord(index, block.word(index) + id) }
  }
}

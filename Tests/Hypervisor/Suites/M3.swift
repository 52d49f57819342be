import CHypercall
import HypercallABI
import UserRuntime

// Objects, calls, the information page, the root task, messages between contexts.

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  Suite.expect("the information page is where RSP said", information, Root.information)
  Suite.expect("its signature", UInt64(Information.half(0)), 0x4156_4f4e)
  var sum: UInt64 = 0
  for index in 0..<Information.length / 2 {
    sum += Information.word(index * 2 & ~7) >> UInt64((index & 3) * 16) & 0xffff
  }
  Suite.expect("its checksum", sum & 0xffff, 0)
  Suite.expect("its version", UInt64(Information.half(20)), 10)
  Console.line("suite: processors", UInt64(Information.processors))
  Creation.run()
  Messages.run()
  Semaphores.run()
  Suite.end()
}

enum Creation {
  static func run() {
    let domain = Root.protectionDomain
    let sm = Suite.selector()
    Suite.expect("create a semaphore", Kernel.createSemaphore(sm, count: 3), 0)
    Suite.expect("at a selector that is taken", Kernel.createSemaphore(sm), Status.badCapability.rawValue)
    Suite.expect("beyond all selectors", Kernel.createSemaphore(1 << 26), Status.badCapability.rawValue)
    Suite.expect(
      "in what is no domain", Kernel.createSemaphore(Suite.selector(), in: sm), Status.badCapability.rawValue)
    Suite.expect("in nothing", Kernel.createSemaphore(Suite.selector(), in: 5), Status.badCapability.rawValue)
    Suite.expect(
      "an unknown control", Kernel.raw(9, Root.executionContext, flags: 15).status, Status.badParameter.rawValue)
    Suite.expect("assign_pci", Kernel.raw(0xd, domain).status, Status.badFeature.rawValue)
    Suite.expect(
      "a context on a processor that is none",
      Kernel.createContext(Suite.selector(), block: Suite.page(), processor: UInt64(Information.processors), stack: 0),
      Status.badProcessor.rawValue
    )
    Suite.expect(
      "a message block in the kernel's part",
      Kernel.createContext(Suite.selector(), block: Root.userEnd, stack: 0), Status.badParameter.rawValue)
    Suite.expect(
      "a message block where one is",
      Kernel.createContext(Suite.selector(), block: Root.messageBlock, stack: 0), Status.badParameter.rawValue)
    let found = Kernel.lookup(CapabilityRange(.objects, base: sm, order: 0))
    Suite.expect("lookup finds it", found == CapabilityRange(.objects, base: sm, order: 0))
    Suite.expect("lookup of nothing", Kernel.lookup(CapabilityRange(.objects, base: sm + 1000, order: 0)).rawValue, 0)
    let handler = Suite.selector()
    _ = Suite.handler(handler)
    Suite.expect(
      "a portal into the kernel",
      Kernel.createPortal(Suite.selector(), for: handler, entry: Root.userEnd), Status.badParameter.rawValue)
    Suite.expect(
      "time for a handler", Kernel.createScheduling(Suite.selector(), for: handler, priority: 1),
      Status.badCapability.rawValue)
    Suite.expect(
      "time for what has some", Kernel.createScheduling(Suite.selector(), for: Root.executionContext, priority: 1),
      Status.badCapability.rawValue)
  }
}

enum Messages {
  nonisolated(unsafe) static var nested: UInt64 = 0

  static func run() {
    let context = Suite.selector()
    _ = Suite.handler(context)
    let portal = Suite.selector()
    Suite.expect("create a portal", Kernel.createPortal(portal, for: context, id: 7), 0)
    let block = Suite.block
    for index in 0..<20 { block.setWord(index, UInt64(index) * 3) }
    block.setCounts(untyped: 20)
    Suite.expect("call", Kernel.call(portal), 0)
    Suite.expect("words come back", block.counts, 20)
    var sum: UInt64 = 0
    for index in 0..<20 { sum += block.word(index) }
    Suite.expect("each plus the portal's id", sum, 190 * 3 + 20 * 7)
    Suite.expect("call of nothing", Kernel.call(portal + 100), Status.badCapability.rawValue)
    Suite.expect("call of a context", Kernel.call(context), Status.badCapability.rawValue)
    block.setCounts(untyped: 0xffff)
    Suite.expect("more words than there are", Kernel.call(portal), 0)
    Suite.expect("are cut", block.counts, 508)

    // A handler that calls another, and one that calls itself.
    let second = Suite.selector()
    _ = Suite.handler(second)
    let outer = Suite.selector()
    Suite.expect("create a portal", Kernel.createPortal(outer, for: second, id: 100), 0)
    unsafe nested = portal
    block.setCounts(untyped: 1)
    block.setWord(0, 1)
    Suite.expect("a call within a call", Kernel.call(outer), 0)
    Suite.expect("goes through both", block.word(0), 1 + 7 + 100)
    unsafe nested = outer
    block.setCounts(untyped: 1)
    Suite.expect("a handler that calls itself", Kernel.call(outer), 0)
    Suite.expect("is told so", block.word(1), Status.aborted.rawValue)

    // Delegation by message.
    let sm = Suite.selector()
    Suite.expect("create a semaphore", Kernel.createSemaphore(sm, count: 1), 0)
    let given = Suite.selector()
    unsafe nested = given
    let give = Suite.selector()
    Suite.expect("create a portal", Kernel.createPortal(give, for: context, id: 200), 0)
    // The first call opens the handler's window.
    block.setCounts(untyped: 0)
    Suite.expect("open a window", Kernel.call(give), 0)
    block.setCounts(untyped: 0, typed: 1)
    block.setItem(0, TypedItem(CapabilityRange(.objects, base: sm, order: 0, rights: 2), word: 1))
    Suite.expect("give by a message", Kernel.call(give), 0)
    Suite.expect("down by what was given", Kernel.down(given).status, 0)
    Suite.expect("no up by it", Kernel.up(given), Status.badCapability.rawValue)
  }
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  switch id {
  case 100:
    let portal = unsafe Messages.nested
    let status = Kernel.call(portal)
    block.setCounts(untyped: 2)
    block.setWord(0, block.word(0) + 100)
    block.setWord(1, status)
  case 200:
    block.delegateWindow = CapabilityRange(.objects, base: unsafe Messages.nested, order: 0)
    block.setCounts(untyped: 0)
  default:
    let count = Int(block.untyped)
    for index in 0..<count { block.setWord(index, block.word(index) + id) }
  }
}

@c(user_thread) func userThread(_ argument: UInt64) {}

enum Semaphores {
  static func run() {
    let sm = Suite.selector()
    Suite.expect("create", Kernel.createSemaphore(sm, count: 2), 0)
    Suite.expect("down", Kernel.down(sm).status, 0)
    Suite.expect("down", Kernel.down(sm).status, 0)
    let now = h_rdtsc()
    Suite.expect("a time that is over", Kernel.down(sm, deadline: 1).status, Status.timeout.rawValue)
    let end = now + Information.kilohertz * 5
    Suite.expect("a time to come", Kernel.down(sm, deadline: end).status, Status.timeout.rawValue)
    Suite.expect("has come", h_rdtsc() >= end)
    for _ in 0..<5 { Suite.expect("up", Kernel.up(sm), 0) }
    Suite.expect("down to zero", Kernel.down(sm, toZero: true).status, 0)
    Suite.expect("is zero", Kernel.down(sm, deadline: 1).status, Status.timeout.rawValue)

    let bell = Suite.selector()
    Suite.expect("create", Kernel.createSemaphore(bell), 0)
    let signal = Suite.selector()
    Suite.expect("create one that signals it", Kernel.createSemaphore(signal, count: 77, signaling: bell), 0)
    Suite.expect("up", Kernel.up(signal), 0)
    Suite.expect("up", Kernel.up(signal), 0)
    let result = Kernel.down(bell)
    Suite.expect("heard", result.status, 0)
    Suite.expect("with its value", result.first, 77)
    Suite.expect("twice", result.second, 2)
    Suite.expect("once", Kernel.down(bell, deadline: 1).status, Status.timeout.rawValue)
  }
}

import CHypercall
import HypercallABI
import UserRuntime

/// Domains that have the root task's code and data, and threads of their own.
enum Threads {
  /// A thread that begins at `user_thread` with `argument`; its events from `events` on go to a handler.
  static func start(
    _ argument: UInt64, in domain: UInt64 = Root.protectionDomain, processor: UInt64 = 0, priority: UInt64 = 1,
    events: UInt64
  ) -> (context: UInt64, scheduling: UInt64) {
    let stack = Suite.memory(2)
    let top = stack + 2 * 4096 - 16
    h_store(top, argument)
    if domain != Root.protectionDomain { share(stack, 2, with: domain) }
    let context = Suite.selector(2)
    Suite.expect(
      "a thread",
      Kernel.createContext(
        context, in: domain, block: Suite.page(), processor: processor, stack: top, events: events, isGlobal: true), 0)
    let scheduling = Suite.selector()
    Suite.expect("time for it", Kernel.createScheduling(scheduling, for: context, priority: priority), 0)
    return (context, scheduling)
  }

  /// Portals for startup and page faults at `events`, told to a new handler with these ids.
  static func events(processor: UInt64 = 0, startup: UInt64 = 0x1001, fault: UInt64 = 0x1002) -> UInt64 {
    let events = Suite.selector(256)
    let handler = Suite.selector()
    _ = Suite.handler(handler, processor: processor)
    let all = MessageDescriptor([.instructionPointer, .stackPointer, .qualification, .registersAtoB]).rawValue
    Suite.expect("startup", Kernel.createPortal(events + 30, for: handler, descriptor: 0xc, id: startup), 0)
    Suite.expect("faults", Kernel.createPortal(events + 14, for: handler, descriptor: all, id: fault), 0)
    Suite.expect("undefined", Kernel.createPortal(events + 6, for: handler, descriptor: all, id: fault + 1), 0)
    return events
  }

  /// Pages at the same addresses.
  static func share(_ address: UInt64, _ count: UInt64, with domain: UInt64) {
    for page in address >> 12..<(address >> 12) + count {
      let range = CapabilityRange(.memory, base: page, order: 0, rights: 7)
      Suite.expect("share", Kernel.delegate(range, to: range, of: domain, hotspot: page, Suite.block), 0)
    }
  }

  /// A domain with the root task's image.
  static func domain(pages: UInt64 = 200) -> UInt64 {
    let domain = Suite.selector()
    Suite.expect("a domain", Kernel.createDomain(domain, pages: pages), 0)
    share(0x20_0000, (h_image_end_address() - 0x20_0000) >> 12, with: domain)
    return domain
  }

  /// Gives a capability to a domain.
  static func give(_ selector: UInt64, to domain: UInt64, at place: UInt64, rights: UInt64 = 0x1f) {
    let range = CapabilityRange(.objects, base: selector, order: 0, rights: rights)
    let window = CapabilityRange(.objects, base: place, order: 0)
    Suite.expect("give", Kernel.delegate(range, to: window, of: domain, Suite.block), 0)
  }
}

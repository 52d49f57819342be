import CHypercall
import HypercallABI
import UserRuntime

// Instructions of the operations that come most, as the time-stamp counter counts them under QEMU's -icount shift=0. What the
// loop around an operation takes is taken off.

private func measure(_ name: StaticString, count: UInt64 = 1000, _ body: () -> Void) {
  let start = h_rdtsc()
  for _ in 0..<count { h_pause() }
  let middle = h_rdtsc()
  for _ in 0..<count {
    h_pause()
    body()
  }
  let end = h_rdtsc()
  Console.write("bench: ")
  Console.line(name, ((end - middle) - (middle - start) + count / 2) / count)
}

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  let block = Suite.block
  let context = Suite.selector()
  _ = Suite.handler(context)
  let portal = Suite.selector()
  Suite.expect("portal", Kernel.createPortal(portal, for: context, entry: h_echo_address(), id: 0), 0)
  let semaphore = Suite.selector()
  Suite.expect("semaphore", Kernel.createSemaphore(semaphore), 0)

  measure("null-hypercall") { _ = h_call(portal << 8 | 0xb, 0, 0, 0, 0) }
  block.counts = 0
  measure("ipc") { _ = h_call(portal << 8, 0, 0, 0, 0) }
  measure("ipc-4-words") {
    block.counts = 4
    _ = h_call(portal << 8, 0, 0, 0, 0)
  }
  measure("semaphore-up-down") {
    _ = h_call(semaphore << 8 | 0xc, 0, 0, 0, 0)
    _ = h_call(semaphore << 8 | 0x1c, 0, 0, 0, 0)
  }

  // Another domain, with the page of the echo's code.
  let domain = Suite.selector()
  Suite.expect("domain", Kernel.createDomain(domain, pages: 64), 0)
  let code = CapabilityRange(.memory, base: h_echo_address() >> 12, order: 0, rights: 5)
  Suite.expect("code", Kernel.delegate(code, to: code, of: domain, hotspot: code.base, block), 0)
  let other = Suite.selector()
  Suite.expect(
    "context", Kernel.createContext(other, in: domain, block: 0x30_0000, stack: 0x30_1000), 0)
  let far = Suite.selector()
  Suite.expect("portal", Kernel.createPortal(far, for: other, entry: h_echo_address()), 0)
  block.counts = 0
  measure("ipc-other-domain") { _ = h_call(far << 8, 0, 0, 0, 0) }

  let page = CapabilityRange(.memory, base: Suite.memory() >> 12, order: 0, rights: 3)
  let window = CapabilityRange(.memory, base: 0x4000, order: 0, rights: 3)
  block.setItem(0, TypedItem(page, word: 1))
  measure("delegate-revoke-page") {
    block.counts = 1 << 16
    _ = h_call(Root.protectionDomain << 8 | 0x18, window.rawValue, domain, 0, 0)
    _ = h_call(0x7, page.rawValue, 0, 0, 0)
  }
  let known = CapabilityRange(.objects, base: semaphore, order: 0)
  let slot = CapabilityRange(.objects, base: 0x100, order: 0)
  // Another one beside it, so that the domain's table of slots has the frames.
  let neighbour = CapabilityRange(.objects, base: 0x101, order: 0)
  Suite.expect("neighbour", Kernel.delegate(known, to: neighbour, of: domain, block), 0)
  let given = Suite.selector()
  Suite.expect("semaphore", Kernel.createSemaphore(given), 0)
  let capability = CapabilityRange(.objects, base: given, order: 0)
  block.setItem(0, TypedItem(capability, word: 1))
  measure("delegate-revoke-capability") {
    block.counts = 1 << 16
    _ = h_call(Root.protectionDomain << 8 | 0x18, slot.rawValue, domain, 0, 0)
    _ = h_call(0x7, capability.rawValue, 0, 0, 0)
  }
  let many = Suite.selector(1000)
  var next = many
  measure("create-semaphore") {
    _ = h_call(next << 8 | 0x6, Root.protectionDomain, 0, 0, 0)
    next += 1
  }
  next = many
  measure("revoke-one-of-1000") {
    let range = CapabilityRange(.objects, base: next, order: 0)
    _ = h_call(0x17, range.rawValue, 0, 0, 0)
    next += 1
  }
  Suite.end()
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {}
@c(user_thread) func userThread(_ argument: UInt64) {}

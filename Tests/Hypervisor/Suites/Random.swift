import CHypercall
import HypercallABI
import UserRuntime

// Random hypercalls of a root task: nothing panics, and in the end everything is as it was.

private struct Generator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }
}

private let first: UInt64 = 0x2000
private let count: UInt64 = 64

nonisolated(unsafe) private var random = Generator(state: 1)

private func below(_ limit: UInt64) -> UInt64 { unsafe random.next() >> 8 % limit }
private func selector() -> UInt64 { first + below(count) }
/// A domain: mostly the root task's own, or what may be one.
private func domain() -> UInt64 { below(4) == 0 ? selector() : Root.protectionDomain }
private func argument() -> UInt64 {
  switch below(6) {
  case 0: 0
  case 1: below(16)
  case 2: selector()
  case 3: unsafe random.next()
  case 4: Root.userEnd - below(2) * 4096
  default: UInt64.max >> below(64)
  }
}
private func range() -> UInt64 {
  CapabilityRange(.objects, base: selector(), order: below(4), rights: below(32)).rawValue
}

private func step(_ pages: UInt64) {
  switch below(16) {
  case 0: _ = Kernel.raw(0, selector(), flags: 1)
  case 1: _ = Kernel.raw(2, selector(), domain(), below(8) == 0 ? range() : 0, below(20))
  case 2:
    let block = below(3) == 0 ? argument() & ~0xfff : pages + below(64) * 4096
    _ = Kernel.raw(
      3, selector(), flags: below(2), domain(), block | below(UInt64(Information.processors) + 1), argument(),
      argument())
  case 3:
    _ = Kernel.raw(
      4, selector(), domain(), selector(), below(3) == 0 ? argument() : 1 + below(3) | (1 + below(99)) << 12)
  case 4: _ = Kernel.raw(5, selector(), domain(), selector(), argument(), argument())
  case 5: _ = Kernel.raw(6, selector(), domain(), below(5), below(3) == 0 ? selector() : 0)
  case 6: _ = Kernel.raw(7, below(2) * selector(), flags: below(2), range())
  case 7: _ = Kernel.raw(8, 0, flags: 0, argument())
  case 8, 9:
    let block = Suite.block
    block.setCounts(untyped: 0, typed: 1 + below(3))
    for index in 0..<3 {
      block.setItem(index, TypedItem(CapabilityRange(rawValue: range()), word: argument() & ~0xc00 | 1))
    }
    _ = Kernel.raw(8, domain(), flags: 1, range(), domain())
  case 10:
    let flags = [0, 0, 1, 2, 3, 5, 6, 7, 8, 15] as InlineArray<10, UInt64>
    _ = Kernel.raw(9, selector(), flags: flags[Int(below(10))], argument(), argument())
  case 11: _ = Kernel.raw(0xa, selector(), flags: below(4))
  case 12: _ = Kernel.raw(0xb, selector(), argument())
  case 13: _ = Kernel.raw(0xc, selector(), flags: 0)
  case 14: _ = Kernel.raw(0xc, selector(), flags: 1 + below(2) * 2, 0, 1)
  default: _ = Kernel.raw(0xd + below(3), selector(), flags: below(8), argument(), argument(), argument())
  }
}

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  let pages = Suite.page(64)
  let all = CapabilityRange(.objects, base: first, order: 6)
  // Once for what stays: frames of slots, of pools.
  Suite.expect("all of it goes", Kernel.revoke(all), 0)
  for seed in UInt64(1)...20 {
    unsafe random = Generator(state: seed &* 0x9e37_79b9_7f4a_7c15)
    let before = Kernel.quota(of: Root.protectionDomain)
    for _ in 0..<5000 { step(pages) }
    Suite.expect("all of it goes", Kernel.revoke(all), 0)
    // Who died on another processor is gone when that has looked.
    let end = h_rdtsc() + Information.kilohertz * 5
    while h_rdtsc() < end { _ = Kernel.raw(9, 0, flags: 1) }
    let after = Kernel.quota(of: Root.protectionDomain)
    Suite.expect("limits are as before", after.limit, before.limit)
    Suite.expect("use is as before", after.used, before.used)
  }
  Suite.end()
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {}
@c(user_thread) func userThread(_ argument: UInt64) {}

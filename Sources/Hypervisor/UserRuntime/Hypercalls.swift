import CHypercall
import HypercallABI

/// The kernel, as a program sees it: one function for each hypercall.
package enum Kernel {
  package struct Result {
    package let status: UInt64
    package let first: UInt64
    package let second: UInt64
    package var isSuccess: Bool { status == 0 }
  }

  /// Any hypercall, with any arguments.
  package static func raw(
    _ number: UInt64, _ selector: UInt64 = 0, flags: UInt64 = 0, _ rsi: UInt64 = 0, _ rdx: UInt64 = 0,
    _ rax: UInt64 = 0, _ r8: UInt64 = 0
  ) -> Result {
    let result = h_call(selector << 8 | flags << 4 | number, rsi, rdx, rax, r8)
    return Result(status: result.rdi & 0xff, first: result.rsi, second: result.rdx)
  }

  package static func call(_ portal: UInt64, failing: Bool = false) -> UInt64 {
    raw(0, portal, flags: failing ? 1 : 0).status
  }

  package static func createDomain(
    _ selector: UInt64, of parent: UInt64 = Root.protectionDomain, pages: UInt64, giving range: UInt64 = 0
  ) -> UInt64 {
    raw(2, selector, parent, range, pages).status
  }

  package static func createContext(
    _ selector: UInt64, in domain: UInt64 = Root.protectionDomain, block: UInt64, processor: UInt64 = 0, stack: UInt64,
    events: UInt64 = 0, isGlobal: Bool = false
  ) -> UInt64 {
    raw(3, selector, flags: isGlobal ? 1 : 0, domain, block | processor, stack, events).status
  }

  package static func createScheduling(
    _ selector: UInt64, in domain: UInt64 = Root.protectionDomain, for context: UInt64, priority: UInt64,
    budget: UInt64 = 10_000
  ) -> UInt64 {
    raw(4, selector, domain, context, priority | budget << 12).status
  }

  package static func createPortal(
    _ selector: UInt64, in domain: UInt64 = Root.protectionDomain, for context: UInt64, descriptor: UInt64 = 0,
    entry: UInt64 = h_portal_address(), id: UInt64 = 0
  ) -> UInt64 {
    let status = raw(5, selector, domain, context, descriptor, entry).status
    guard status == 0, id != 0 else { return status }
    return raw(0xb, selector, id).status
  }

  package static func createSemaphore(
    _ selector: UInt64, in domain: UInt64 = Root.protectionDomain, count: UInt64 = 0, signaling: UInt64 = 0
  ) -> UInt64 {
    raw(6, selector, domain, count, signaling).status
  }

  package static func revoke(_ range: CapabilityRange, itself: Bool = true) -> UInt64 {
    raw(7, 0, flags: itself ? 1 : 0, range.rawValue).status
  }

  package static func lookup(_ range: CapabilityRange) -> CapabilityRange {
    CapabilityRange(rawValue: raw(8, 0, range.rawValue).first)
  }

  /// By the caller's message block, which loses what it holds.
  package static func delegate(
    _ range: CapabilityRange, to window: CapabilityRange, of target: UInt64 = Root.protectionDomain,
    from source: UInt64 = Root.protectionDomain, hotspot: UInt64 = 0, bits: UInt64 = 0, _ block: MessageBlock
  ) -> UInt64 {
    block.setCounts(untyped: 0, typed: 1)
    block.setItem(0, TypedItem(range, word: hotspot << 12 | bits | 1))
    return raw(8, source, flags: 1, window.rawValue, target).status
  }

  package static func up(_ semaphore: UInt64) -> UInt64 { raw(0xc, semaphore).status }

  package static func down(_ semaphore: UInt64, toZero: Bool = false, deadline: UInt64 = 0) -> Result {
    raw(0xc, semaphore, flags: toZero ? 3 : 1, deadline >> 32, deadline & 0xffff_ffff)
  }

  package static func quota(of domain: UInt64) -> (limit: UInt64, used: UInt64) {
    let result = raw(0xf, domain, flags: 2)
    return (result.first, result.second)
  }
}

import CMachine
import Capabilities
import FramePool
import HypercallABI

/// The hypercall that takes back, in steps: between them, interrupts are taken.
enum Revocation {
  static func revoke(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) {
    let registers = context.object.registers
    let range = CapabilityRange(rawValue: registers.rsi)
    var domain = context.object.domain
    if flags & 2 != 0 {
      let capability = domain[registers.rdx]
      guard capability.kind == .protectionDomain else { return context.object.finish(.badCapability) }
      domain = capability.object()
    }
    var signal: Reference<Semaphore>?
    if selector != 0 {
      let capability = context.object.domain[selector]
      if capability.allows(.semaphore, Right.up) { signal = capability.object() }
    }
    guard let space = domain.space(range.kind) else { return context.object.finish(.badParameter) }
    // A domain that takes its own away may be gone at the end.
    domain.retain()
    signal?.retain()
    var tables = Tables()
    let isDone =
      Graveyard.step()
      && MappingTree.revoke(
        space, range.base, order: range.order, rights: UInt8(range.rights), itself: flags & 1 != 0,
        keep: flags & 4 != 0, &tables)
    tables.finish()
    if isDone, Graveyard.step() {
      context.object.finish(.success)
      if let signal { Semaphores.up(signal) }
    } else {
      // SYSCALL is two bytes: it is made again, and goes on, once those interrupts are taken that wait.
      context.object.registers.rip &-= 2
    }
    signal?.release()
    domain.release()
  }
}

import CMachine
import FramePool
import HypercallABI

/// Hypercall 14: an interrupt goes to a processor, where it ups its semaphore.
enum InterruptAssignment {
  static func assign(_ context: Reference<Context>, _ selector: UInt64, _ flags: UInt64) -> Status {
    let domain = context.object.domain
    let registers = context.object.registers
    let capability = domain[selector]
    guard capability.allows(.semaphore, Right.down) else { return .badCapability }
    let semaphore = capability.object(Semaphore.self)
    let gsi = semaphore.object.interrupt
    guard gsi < Vector.interrupts else { return .badCapability }
    guard unsafe registers.rdx < UInt64(Processors.count) else { return .badProcessor }
    if registers.rax != 0, registers.rax != .max {
      let other = domain[registers.rax]
      guard other.allows(.semaphore, Right.up) else { return .badCapability }
      let target = other.object(Semaphore.self)
      guard target.object.target == nil, target != semaphore else { return .badParameter }
      target.retain()
      semaphore.object.target?.release()
      semaphore.object.target = target
      semaphore.object.value = gsi
    }
    let apic = unsafe Processors.at(Int(registers.rdx)).pointee.apic
    if flags & 4 != 0 { InputAPIC.configure(gsi, level: flags & 2 != 0, low: flags & 1 != 0) }
    context.object.registers.rsi = 0
    context.object.registers.rdx = 0
    if unsafe gsi < InputAPIC.limit {
      InputAPIC.route(gsi, to: apic)
      InputAPIC.set(gsi, masked: false)
      if registers.rsi == 0 { return .success }
    }
    // What a device writes to send it (Intel SDM 3, 11.11).
    context.object.registers.rsi = 0xfee0_0000 | UInt64(apic) << 12
    context.object.registers.rdx = Vector.firstInterrupt &+ gsi
    return .success
  }
}

import CMachine
import FramePool
import HypercallABI

/// A thread's state in messages of its events.
enum ThreadState {
  private typealias State = MessageBlock.State

  static func load(_ message: MessageBlock, from context: Reference<Context>, _ descriptor: MessageDescriptor) {
    let registers = context.object.registers
    loadRegisters(
      message, context, descriptor, rax: registers.rax, rsp: registers.rsp, rip: registers.rip,
      rflags: registers.rflags)
    if descriptor.contains(.qualification) {
      message[State.qualification] = context.object.registers.error
      // The address of a page fault: no other can have come between, as the kernel has none.
      message[State.qualification2] = m_cr2()
    }
  }

  /// Registers alone, which virtual processors have, too, but for the four that VMRUN keeps elsewhere.
  @inline(__always)
  static func loadRegisters(
    _ message: MessageBlock, _ context: Reference<Context>, _ descriptor: MessageDescriptor, rax: UInt64, rsp: UInt64,
    rip: UInt64, rflags: UInt64
  ) {
    message[State.descriptor] = descriptor.rawValue
    if descriptor.contains(.registersAtoB) {
      message[State.rax] = rax
      message[State.rcx] = context.object.registers.rcx
      message[State.rdx] = context.object.registers.rdx
      message[State.rbx] = context.object.registers.rbx
    }
    if descriptor.contains(.registersBPSIDI) {
      message[State.rbp] = context.object.registers.rbp
      message[State.rsi] = context.object.registers.rsi
      message[State.rdi] = context.object.registers.rdi
    }
    if descriptor.contains(.registers8to15) {
      message[State.r8] = context.object.registers.r8
      message[State.r8 + 8] = context.object.registers.r9
      message[State.r8 + 16] = context.object.registers.r10
      message[State.r8 + 24] = context.object.registers.r11
      message[State.r8 + 32] = context.object.registers.r12
      message[State.r8 + 40] = context.object.registers.r13
      message[State.r8 + 48] = context.object.registers.r14
      message[State.r8 + 56] = context.object.registers.r15
    }
    if descriptor.contains(.stackPointer) { message[State.rsp] = rsp }
    if descriptor.contains(.instructionPointer) {
      message[State.rip] = rip
      message[State.instructionLength] = 0
    }
    if descriptor.contains(.flags) { message[State.rflags] = rflags }
    if descriptor.contains(.timeStamp) { message[State.timeStamp] = m_rdtsc() }
    // Nothing fits behind the state but its registers, so they are counted as words.
    message.setCounts(untyped: MessageBlock.wordLimit)
  }

  static func store(_ message: MessageBlock, to context: Reference<Context>, _ descriptor: MessageDescriptor) {
    storeRegisters(message, context, descriptor)
    if descriptor.contains(.registersAtoB) { context.object.registers.rax = message[State.rax] }
    if descriptor.contains(.stackPointer) { context.object.registers.rsp = message[State.rsp] }
    // IRET to an address that is none would fault in the kernel; at the first that programs have not, it does in the program.
    if descriptor.contains(.instructionPointer) { context.object.registers.rip = min(message[State.rip], Root.userEnd) }
    // Carry to overflow without interrupts, AC, ID; interrupts stay on.
    if descriptor.contains(.flags) { context.object.registers.rflags = message[State.rflags] & 0x24_0dd5 | 0x202 }
  }

  /// All but those four.
  @inline(__always)
  static func storeRegisters(
    _ message: MessageBlock, _ context: Reference<Context>, _ descriptor: MessageDescriptor
  ) {
    if descriptor.contains(.registersAtoB) {
      context.object.registers.rcx = message[State.rcx]
      context.object.registers.rdx = message[State.rdx]
      context.object.registers.rbx = message[State.rbx]
    }
    if descriptor.contains(.registersBPSIDI) {
      context.object.registers.rbp = message[State.rbp]
      context.object.registers.rsi = message[State.rsi]
      context.object.registers.rdi = message[State.rdi]
    }
    if descriptor.contains(.registers8to15) {
      context.object.registers.r8 = message[State.r8]
      context.object.registers.r9 = message[State.r8 + 8]
      context.object.registers.r10 = message[State.r8 + 16]
      context.object.registers.r11 = message[State.r8 + 24]
      context.object.registers.r12 = message[State.r8 + 32]
      context.object.registers.r13 = message[State.r8 + 40]
      context.object.registers.r14 = message[State.r8 + 48]
      context.object.registers.r15 = message[State.r8 + 56]
    }
  }
}

import CMachine
import FramePool
import HypercallABI

/// A thread's state in messages of its events.
enum ThreadState {
  private typealias State = MessageBlock.State

  static func load(_ message: MessageBlock, from context: Reference<Context>, _ descriptor: MessageDescriptor) {
    let registers = context.object.registers
    message.counts = 0
    message[State.descriptor] = descriptor.rawValue
    if descriptor.contains(.registersAtoB) {
      message[State.rax] = registers.rax
      message[State.rcx] = registers.rcx
      message[State.rdx] = registers.rdx
      message[State.rbx] = registers.rbx
    }
    if descriptor.contains(.registersBPSIDI) {
      message[State.rbp] = registers.rbp
      message[State.rsi] = registers.rsi
      message[State.rdi] = registers.rdi
    }
    if descriptor.contains(.registers8to15) {
      message[State.r8] = registers.r8
      message[State.r8 + 8] = registers.r9
      message[State.r8 + 16] = registers.r10
      message[State.r8 + 24] = registers.r11
      message[State.r8 + 32] = registers.r12
      message[State.r8 + 40] = registers.r13
      message[State.r8 + 48] = registers.r14
      message[State.r8 + 56] = registers.r15
    }
    if descriptor.contains(.stackPointer) { message[State.rsp] = registers.rsp }
    if descriptor.contains(.instructionPointer) {
      message[State.rip] = registers.rip
      message[State.instructionLength] = 0
    }
    if descriptor.contains(.flags) { message[State.rflags] = registers.rflags }
    if descriptor.contains(.qualification) {
      message[State.qualification] = registers.error
      // The address of a page fault: no other can have come between, as the kernel has none.
      message[State.qualification2] = m_cr2()
    }
    if descriptor.contains(.timeStamp) { message[State.timeStamp] = m_rdtsc() }
    // Nothing fits behind the state but its registers, so they are counted as words.
    message.setCounts(untyped: MessageBlock.wordLimit)
  }

  static func store(_ message: MessageBlock, to context: Reference<Context>, _ descriptor: MessageDescriptor) {
    var registers = context.object.registers
    if descriptor.contains(.registersAtoB) {
      registers.rax = message[State.rax]
      registers.rcx = message[State.rcx]
      registers.rdx = message[State.rdx]
      registers.rbx = message[State.rbx]
    }
    if descriptor.contains(.registersBPSIDI) {
      registers.rbp = message[State.rbp]
      registers.rsi = message[State.rsi]
      registers.rdi = message[State.rdi]
    }
    if descriptor.contains(.registers8to15) {
      registers.r8 = message[State.r8]
      registers.r9 = message[State.r8 + 8]
      registers.r10 = message[State.r8 + 16]
      registers.r11 = message[State.r8 + 24]
      registers.r12 = message[State.r8 + 32]
      registers.r13 = message[State.r8 + 40]
      registers.r14 = message[State.r8 + 48]
      registers.r15 = message[State.r8 + 56]
    }
    if descriptor.contains(.stackPointer) { registers.rsp = message[State.rsp] }
    // IRET to an address that is none would fault in the kernel; at the first that programs have not, it does in the program.
    if descriptor.contains(.instructionPointer) { registers.rip = min(message[State.rip], Root.userEnd) }
    // Carry to overflow without interrupts, AC, ID; interrupts stay on.
    if descriptor.contains(.flags) { registers.rflags = message[State.rflags] & 0x24_0dd5 | 0x202 }
    context.object.registers = registers
  }
}

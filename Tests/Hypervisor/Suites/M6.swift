import CHypercall
import HypercallABI
import UserRuntime

// A virtual processor: it starts where its monitor says, its exits come with their state, and the kernel keeps the processor.

nonisolated(unsafe) private var done: UInt64 = 0
nonisolated(unsafe) private var exits: UInt64 = 0
nonisolated(unsafe) private var start: UInt64 = 0
nonisolated(unsafe) private var took: UInt64 = 0
nonisolated(unsafe) private var port: UInt64 = 0
nonisolated(unsafe) private var missing: UInt64 = 0
nonisolated(unsafe) private var recalls: UInt64 = 0

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  Suite.expect("the information page tells of AMD-V", UInt64(Information.features & 4), 4)
  unsafe done = Suite.semaphore()
  unsafe grave = Suite.semaphore()
  let machine = Suite.selector()
  Suite.expect("a domain", Kernel.createDomain(machine, pages: 100), 0)
  let page = Suite.memory(rights: 7)
  // 1000 times CPUID; then a port, an access to memory that is not there, and without end.
  let code: InlineArray<20, UInt8> = [
    0xb9, 0xe8, 0x03,  // mov cx, 1000
    0x51,  // push cx
    0x0f, 0xa2,  // cpuid
    0x59,  // pop cx
    0xe2, 0xfa,  // loop
    0xb0, 0x2a,  // mov al, 42
    0xe6, 0x10,  // out 0x10, al
    0xa1, 0x00, 0x20,  // mov ax, [0x2000]
    0xeb, 0xfe,  // jmp
    0x90, 0x90,
  ]
  for index in 0..<20 {
    unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(page))![index] = code[index]
  }
  let source = CapabilityRange(.memory, base: page >> 12, order: 0, rights: 7)
  let window = CapabilityRange(.memory, base: 0, order: 0, rights: 7)
  Suite.expect("guest memory", Kernel.delegate(source, to: window, of: machine, bits: 1 << 9, Suite.block), 0)

  let handler = Suite.selector()
  _ = Suite.handler(handler)
  let events = Suite.selector(256)
  let all = MessageDescriptor([
    .registersAtoB, .instructionPointer, .flags, .stackPointer, .segmentsCS, .segmentsDE, .controlRegisters, .controls,
    .qualification, .efer, .interruptTable, .globalTable, .taskRegister, .localTable, .states, .injection,
  ]).rawValue
  let few = MessageDescriptor([.registersAtoB, .instructionPointer]).rawValue
  let numbers: InlineArray<5, UInt64> = [0x72, 0x7b, 252, 254, 255]
  for index in 0..<5 {
    let number = numbers[index]
    let descriptor = number == 0x72 ? few : all
    Suite.expect(
      "portal", Kernel.createPortal(events + number, for: handler, descriptor: descriptor, id: 0x100 + number), 0)
    Threads.give(events + number, to: machine, at: 0x400 + number)
  }
  let context = Suite.selector()
  Suite.expect(
    "a virtual processor", Kernel.raw(3, context, flags: 1, machine, 0, 0, 0x400).status, 0)
  let scheduling = Suite.selector()
  Suite.expect("its time", Kernel.createScheduling(scheduling, for: context, priority: 1), 0)
  Suite.expect("it gets to the page that is not there", Kernel.down(unsafe done).status, 0)
  Suite.expect("CPUID, a thousand times", unsafe exits, 1000)
  Suite.expect("the port and what was written", unsafe port, 0x10_002a)
  Suite.expect("the address that is not there", unsafe missing, 0x2000)
  Console.line("bench: vm-exit", unsafe took)
  // It runs without end, beside the root task, until it is recalled.
  for _ in 0..<3 {
    Suite.expect("recall", Kernel.raw(9, context, flags: 0).status, 0)
    let end = h_rdtsc() + Information.kilohertz * 200
    let before = unsafe recalls
    while unsafe recalls == before, h_rdtsc() < end { _ = Kernel.raw(9, 0, flags: 1) }
  }
  Suite.expect("recalled, each time", unsafe recalls, 3)
  Suite.expect("its memory goes", Kernel.revoke(source, itself: false), 0)
  Suite.expect("it is told so", Kernel.down(unsafe done).status, 0)
  hostile(machine, events)
  Suite.expect("its end", Kernel.revoke(CapabilityRange(.objects, base: context, order: 0)), 0)
  Suite.expect("its domain's", Kernel.revoke(CapabilityRange(.objects, base: machine, order: 0)), 0)
  Suite.end()
}

nonisolated(unsafe) private var reason: UInt64 = 0

/// Monitors and guests that try what they must not: each is told by an exit, and the processor stays the kernel's.
private func hostile(_ machine: UInt64, _ events: UInt64) {
  // CLGI, VMRUN, VMSAVE, INVD and WBINVD without an intercept of the monitor's; and state that is none.
  let attempts: InlineArray<6, UInt64> = [0xdd_010f, 0xd8_010f, 0xdb_010f, 0x080f, 0x090f, 0x9090]
  for attempt in UInt64(0)..<6 {
    unsafe reason = 0
    unsafe trying = attempt
    let code = Suite.memory(rights: 7)
    h_store(code, attempts[Int(attempt)])
    let source = CapabilityRange(.memory, base: code >> 12, order: 0, rights: 7)
    let window = CapabilityRange(.memory, base: 0x10 + attempt, order: 0, rights: 7)
    Suite.expect("guest memory", Kernel.delegate(source, to: window, of: machine, bits: 1 << 9, Suite.block), 0)
    let base = 0x800 + attempt * 0x100
    let handler = Suite.selector()
    _ = Suite.handler(handler)
    let numbers: InlineArray<6, UInt64> = [251, 252, 253, 254, 0x7f, 0x76]
    for index in 0..<6 {
      let number = numbers[index]
      let portal = Suite.selector()
      let all: UInt64 = 0x7fffff
      Suite.expect("portal", Kernel.createPortal(portal, for: handler, descriptor: all, id: 0x400 + number), 0)
      Threads.give(portal, to: machine, at: base + number)
    }
    for number in UInt64(0x80)..<0x8a {
      let portal = Suite.selector()
      Suite.expect("portal", Kernel.createPortal(portal, for: handler, id: 0x400 + number), 0)
      Threads.give(portal, to: machine, at: base + number)
    }
    let context = Suite.selector(2)
    Suite.expect("a virtual processor", Kernel.raw(3, context, flags: 1, machine, 0, 0, base).status, 0)
    Suite.expect("its time", Kernel.createScheduling(context + 1, for: context, priority: 2), 0)
    let wanted: InlineArray<6, UInt64> = [0x85, 0x80, 0x83, 0x76, 0x89, 253]
    // QEMU before 8 says WBINVD of both.
    if attempt == 3, unsafe reason == 0x89 { unsafe reason = 0x76 }
    Suite.expect("it is told", unsafe reason, wanted[Int(attempt)])
    Suite.expect("its end", Kernel.revoke(CapabilityRange(.objects, base: context, order: 0)), 0)
  }
}

nonisolated(unsafe) private var trying: UInt64 = 0

@c(user_thread) func userThread(_ argument: UInt64) {}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  typealias State = MessageBlock.State
  guard let block = MessageBlock(address: address) else { return }
  block.counts = 0
  if id >= 0x400 { return hostile(id - 0x400, block) }
  switch id - 0x100 {
  case 254:
    realMode(block)
  case 0x72:
    unsafe exits += 1
    if unsafe exits == 1 { unsafe start = h_rdtsc() }
    if unsafe exits == 1000 { unsafe took = (h_rdtsc() - start) / 999 }
    block[State.rip] &+= 2
    block[State.descriptor] = MessageDescriptor.instructionPointer.rawValue
  case 0x7b:
    unsafe port = block[State.qualification] & 0xffff_0000 | block[State.rax] & 0xff
    block[State.rip] = block[State.qualification2]
    block[State.descriptor] = MessageDescriptor.instructionPointer.rawValue
  case 252:
    if unsafe missing == 0 {
      unsafe missing = block[State.qualification2]
      block[State.rip] &+= 3
      block[State.descriptor] = MessageDescriptor.instructionPointer.rawValue
      _ = Kernel.up(unsafe done)
    } else {
      _ = Kernel.up(unsafe done)
      _ = Kernel.down(unsafe done + 1000)
      // There is nothing to go on with: the context waits here for its end.
      while true { _ = Kernel.raw(9, 0, flags: 1) }
    }
  case 255:
    unsafe recalls += 1
    block[State.descriptor] = 0
  default: break
  }
}

/// As after reset, but at address 0, with CPUID and HLT intercepted.
private func realMode(_ block: MessageBlock) {
  typealias State = MessageBlock.State
  for segment in 0..<10 {
    block[State.segments + segment * 16] = 0x93 << 16 | 0xffff << 32
    block[State.segments + segment * 16 + 8] = 0
  }
  block[State.segments + 16] = 0x9b << 16 | 0xffff << 32
  block[State.segments + 6 * 16] = 0x82 << 16 | 0xffff << 32
  block[State.segments + 7 * 16] = 0x8b << 16 | 0xffff << 32
  block[State.rip] = 0
  block[State.rsp] = 0xf00
  block[State.rflags] = 2
  block[State.cr0] = 0x10
  block[half: State.control] = 1 << 18 | 1 << 24
  block[half: State.control2] = 0
  block[State.efer] = 0
  block[State.injection] = 0
}

private func hostile(_ number: UInt64, _ block: MessageBlock) {
  typealias State = MessageBlock.State
  if number == 254 {
    realMode(block)
    // Protected mode, 32 bits: elsewhere the instructions are none.
    for segment in 0..<6 { block[State.segments + segment * 16] = 0xc93 << 16 | 0xffff_ffff << 32 }
    block[State.segments + 16] = 0xc9b << 16 | 0xffff_ffff << 32
    block[State.segments + 24] = unsafe (0x10 + trying) << 12
    block[State.cr0] = 0x11
    block[State.efer] = 1 << 12
    block[half: State.control] = 0
    // Write-through that is off while caches are on.
    if unsafe trying == 5 { block[State.cr0] |= 1 << 29 }
  } else {
    unsafe reason = number
    // It is not to go on.
    while true { _ = Kernel.down(unsafe grave) }
  }
}

nonisolated(unsafe) private var grave: UInt64 = 0

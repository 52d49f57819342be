import CMachine
import FramePool
import HypercallABI

/// What a virtual processor has beside a thread's state.
struct VirtualProcessor {
  let block: ControlBlock
  /// The guest's XCR0.
  var extendedControl: UInt64 = 1
  /// Of the domain's nested tables, when the processor last forgot them.
  var generation: UInt64 = .max
  /// Whether others have its address space identifier, too.
  let isShared: Bool
  /// DR0 to DR3, which VMRUN leaves as they are.
  var breakpoints = InlineArray<4, UInt64>(repeating: 0)
  /// Whether the processor has them while the guest runs. Otherwise it leaves where it wants them.
  var hasBreakpoints = false

  /// From now on, or no more.
  mutating func setBreakpoints(_ has: Bool) {
    hasBreakpoints = has
    // Reads and writes of DR0 to DR3, writes of DR7 and of DR5, which may be the same.
    block[half: ControlBlock.Offset.debugIntercepts] = has ? 0 : 0x00af_000f
  }
}

/// Virtual processors by AMD-V with nested paging.
enum VirtualProcessors {
  private typealias Offset = ControlBlock.Offset

  /// Intercepts that a monitor cannot do without: those by which the kernel keeps the processor, and what is in its caches.
  /// Interrupts, NMI, SMI, INIT, INVD, INVLPGA, ports, registers, shutdown; VMRUN, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, WBINVD,
  /// MONITOR, MWAIT, XSETBV.
  private static let forced: UInt32 = 0x9c40_000f
  private static let forced2: UInt32 = 0x3e7d
  /// #DB, #AC and #MC.
  private static let exceptions: UInt32 = 1 << 1 | 1 << 17 | 1 << 18
  /// The one for an open interrupt window.
  private static let window: UInt32 = 1 << 4

  /// Physical: bitmaps of ports, all of which are intercepted, and of registers.
  nonisolated(unsafe) private static var portMap: UInt64 = 0
  nonisolated(unsafe) private static var registerMap: UInt64 = 0
  /// Physical, of each processor: where VMSAVE put the kernel's state.
  nonisolated(unsafe) private static var hosts = InlineArray<64, UInt64>(repeating: 0)
  nonisolated(unsafe) private static var nextIdentifier: UInt32 = 1

  /// On each processor.
  static func open() {
    guard unsafe Features.svm else { return }
    if unsafe portMap == 0 {
      unsafe portMap = fill(order: 2)
      unsafe registerMap = fill(order: 1)
      // Those that VMLOAD and VMSAVE change: SYSENTER's; STAR to SFMASK; the bases of FS and GS, and the kernel's.
      allow(0x174, 3, at: 0)
      allow(0x81, 4, at: 0x800)
      allow(0x100, 3, at: 0x800)
    }
    m_wrmsr(Register.hostSave, Memory.boot() &- Physical.base)
    let host = Memory.boot() &- Physical.base
    m_vmsave(host)
    unsafe hosts[Int(m_processor().pointee.number)] = host
  }

  private static func fill(order: Int) -> UInt64 {
    let frames = Memory.boot(order: order)
    unsafe m_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(frames)), 0xff, 4096 << UInt64(order))
    return frames &- Physical.base
  }

  /// Two bits for each register, from `offset` on (AMD APM 2, 15.11).
  private static func allow(_ first: Int, _ count: Int, at offset: Int) {
    let map = unsafe Physical.pointer(registerMap, UInt8.self)
    for register in first..<first + count { unsafe map[offset + register / 4] &= ~(3 << UInt8(register % 4 * 2)) }
  }

  /// Makes a new context one; false where there is no memory.
  static func make(_ context: Reference<Context>) -> Bool {
    let domain = context.object.domain
    guard let frame = Memory.frame(of: domain) else { return false }
    guard let machine: Reference<VirtualProcessor> = unsafe Memory.object(&Memory.machines, of: domain) else {
      Memory.free(frame: frame, of: domain)
      return false
    }
    let block = ControlBlock(address: frame)
    let limit = unsafe Features.guests
    machine.object = VirtualProcessor(block: block, isShared: unsafe nextIdentifier >= limit)
    context.object.machine = machine
    context.object.isGuest = true
    guard FloatingPoint.make(context) else { return false }
    block[half: Offset.identifier] = unsafe min(nextIdentifier, limit - 1)
    unsafe nextIdentifier = min(nextIdentifier + 1, limit)
    machine.object.setBreakpoints(false)
    block[half: Offset.exceptions] = exceptions
    block[half: Offset.intercepts] = forced
    block[half: Offset.intercepts2] = forced2
    block[Offset.portMap] = unsafe portMap
    block[Offset.registerMap] = unsafe registerMap
    // The guest's interrupt flag is not the processor's.
    block[Offset.interruptControl] = 1 << 24
    block[Offset.nested] = 1
    block[Offset.efer] = 1 << 12
    block[Offset.pat] = 0x0007_0406_0007_0406
    block[Offset.dr6] = 0xffff_0ff0
    block[Offset.dr7] = 0x400
    block[Offset.rflags] = 2
    context.object.guest.guest = frame &- Physical.base
    context.object.guest.host = unsafe hosts[Int(context.object.processor)]
    return true
  }

  static func free(_ machine: Reference<VirtualProcessor>, of domain: Reference<ProtectionDomain>) {
    Memory.free(frame: machine.object.block.address, of: domain)
    unsafe Memory.free(machine, &Memory.machines, of: domain)
  }

  /// A guest's, which `make` gave it before it was one, and which it has for as long as it is there. None but guests come here.
  @inline(__always) private static func machine(of context: Reference<Context>) -> Reference<VirtualProcessor> {
    unsafe context.object.machine.unsafelyUnwrapped
  }

  /// The last before VMRUN; false where the context does not go there.
  static func enter(_ context: Reference<Context>) -> Bool {
    let machine = machine(of: context)
    let domain = context.object.domain
    let block = machine.object.block
    guard domain.object.guestTable != 0 else {
      // As if its first access had found nothing.
      block[Offset.exitCode] = 0x400
      block[Offset.exitInformation] = 1 << 32
      block[Offset.exitInformation2] = 0
      Portals.raise(Event.nestedPageFault, by: context)
      return false
    }
    block[Offset.nestedTable] = domain.object.guestTable
    let isKnown = machine.object.generation == domain.object.guestGeneration && !machine.object.isShared
    block[half: Offset.flush] = isKnown ? 0 : 1
    machine.object.generation = domain.object.guestGeneration
    if unsafe machine.object.extendedControl != Features.extendedControl, unsafe Features.xsave {
      m_xsetbv(0, machine.object.extendedControl)
    }
    if machine.object.hasBreakpoints { unsafe withBreakpoints(machine) { unsafe m_load_breakpoints($0) } }
    return true
  }

  static func exit(_ context: Reference<Context>) {
    let machine = machine(of: context)
    let block = machine.object.block
    if unsafe machine.object.extendedControl != Features.extendedControl, unsafe Features.xsave {
      m_xsetbv(0, unsafe Features.extendedControl)
    }
    if machine.object.hasBreakpoints {
      unsafe withBreakpoints(machine) { unsafe m_save_breakpoints($0) }
      // Once none is set, they cost nothing until the guest wants them again.
      if block[Offset.dr7] & 0xff == 0 { machine.object.setBreakpoints(false) }
    }
    // What was being delivered when the guest left is delivered when it comes back, unless its monitor says otherwise.
    let event = block[Offset.exitEvent]
    block[Offset.event] = event & 1 << 31 != 0 ? event : 0
    // -1 is invalid state, of 64 bits on processors, of 32 under QEMU.
    let code = UInt32(truncatingIfNeeded: block[Offset.exitCode])
    // Instructions, which are the most.
    if code &- 0x63 < UInt32(Event.otherExit) &- 0x63 { return Portals.raise(UInt64(code), by: context) }
    context.object.continuation = .guest
    switch code {
    // An interrupt, NMI or SMI: the processor has taken it.
    case 0x60...0x62: break
    case 0x20...0x3f: machine.object.setBreakpoints(true)
    case 0x41, 0x51: except(UInt64(code), context, block)
    case 0x52: panic("nohv: panic: machine check in a guest")
    case 0x400: Portals.raise(Event.nestedPageFault, by: context)
    case .max: Portals.raise(Event.invalidState, by: context)
    case 0..<UInt32(Event.otherExit): Portals.raise(UInt64(code), by: context)
    default: Portals.raise(Event.otherExit, by: context)
    }
  }

  @unsafe private static func withBreakpoints(
    _ machine: Reference<VirtualProcessor>, _ body: (UnsafeMutableRawPointer) -> Void
  ) {
    unsafe withUnsafeMutablePointer(to: &machine.object.breakpoints) { unsafe body(UnsafeMutableRawPointer($0)) }
  }

  /// #DB or #AC, which may arise from its own delivery, again and again in one instruction that no interrupt ends (CVE-2015-8104,
  /// CVE-2015-5307): the kernel has the processor between. A monitor with a portal for it hears of it; otherwise the guest gets
  /// it, as it would have. What was being delivered is lost then, as is all that benign exceptions interrupt (AMD APM 2, 8.2.9).
  private static func except(_ code: UInt64, _ context: Reference<Context>, _ block: ControlBlock) {
    if context.object.domain[context.object.eventBase &+ code].allows(.portal, Right.call) {
      return Portals.raise(code, by: context)
    }
    let error = code == 0x51 ? 1 << 11 | block[Offset.exitInformation] << 32 : 0
    block[Offset.event] = 1 << 31 | 3 << 8 | (code & 0x1f) | error
  }

  // MARK: State in messages

  private static let segments: InlineArray<10, UInt64> = [
    Offset.es, Offset.es + 0x10, Offset.es + 0x20, Offset.es + 0x30, Offset.es + 0x40, Offset.es + 0x50, Offset.ldtr,
    Offset.tr, Offset.gdtr, Offset.idtr,
  ]

  /// What most exits carry, and no more: the rest is not looked for, then.
  private static let general: MessageDescriptor = [
    .registersAtoB, .registersBPSIDI, .registers8to15, .stackPointer, .instructionPointer, .flags,
  ]

  private static let anySegment: MessageDescriptor = [
    .segmentsDE, .segmentsCS, .segmentsFG, .localTable, .taskRegister, .globalTable, .interruptTable,
  ]

  /// Which segments, by the numbers above, a descriptor names.
  private static func isNamed(_ segment: Int, _ descriptor: MessageDescriptor) -> Bool {
    switch segment {
    case 0, 3: descriptor.contains(.segmentsDE)
    case 1, 2: descriptor.contains(.segmentsCS)
    case 4, 5: descriptor.contains(.segmentsFG)
    case 6: descriptor.contains(.localTable)
    case 7: descriptor.contains(.taskRegister)
    case 8: descriptor.contains(.globalTable)
    default: descriptor.contains(.interruptTable)
    }
  }

  static func load(_ message: MessageBlock, from context: Reference<Context>, _ descriptor: MessageDescriptor) {
    typealias State = MessageBlock.State
    let machine = machine(of: context)
    let block = machine.object.block
    ThreadState.loadRegisters(
      message, context, descriptor, rax: block[Offset.rax], rsp: block[Offset.rsp], rip: block[Offset.rip],
      rflags: block[Offset.rflags])
    message[State.exit] = block[Offset.exitCode]
    if descriptor.contains(.instructionPointer) {
      let length = block[Offset.nextRIP] &- block[Offset.rip]
      message[State.instructionLength] = length < 16 ? length : 0
    }
    guard !descriptor.isSubset(of: general) else { return }
    if !descriptor.isDisjoint(with: anySegment) {
      for segment in 0..<10 where isNamed(segment, descriptor) {
        message[State.segments + segment * 16] = block[segments[segment]]
        message[State.segments + segment * 16 + 8] = block[segments[segment] + 8]
      }
    }
    if descriptor.contains(.qualification) {
      message[State.qualification] = block[Offset.exitInformation]
      message[State.qualification2] = block[Offset.exitInformation2]
    }
    if descriptor.contains(.controls) {
      message[half: State.control] = block[half: Offset.intercepts]
      message[half: State.control2] = block[half: Offset.intercepts2]
    }
    if descriptor.contains(.injection) { message[State.injection] = block[Offset.event] }
    if descriptor.contains(.states) {
      message[half: State.interruptibility] = UInt32(truncatingIfNeeded: block[Offset.interruptShadow])
      message[half: State.activity] = 0
    }
    if descriptor.contains(.controlRegisters) {
      message[State.cr0] = block[Offset.cr0]
      message[State.cr2] = block[Offset.cr2]
      message[State.cr3] = block[Offset.cr3]
      message[State.cr4] = block[Offset.cr4]
    }
    if descriptor.contains(.taskPriority) {
      message[half: State.taskPriority] = UInt32(truncatingIfNeeded: block[Offset.interruptControl] & 0xf) << 4
      message[State.cr8] = block[Offset.interruptControl] & 0xf
    }
    if descriptor.contains(.debugRegister) { message[State.dr7] = block[Offset.dr7] }
    if descriptor.contains(.efer) { message[State.efer] = block[Offset.efer] & ~(1 << 12) }
    if descriptor.contains(.syscallRegisters) {
      for index in 0..<5 { message[State.star + index * 8] = block[Offset.star + UInt64(index) * 8] }
    }
    if descriptor.contains(.sysenter) {
      for index in 0..<3 { message[State.sysenterCS + index * 8] = block[Offset.sysenterCS + UInt64(index) * 8] }
    }
    if descriptor.contains(.extendedControl) { message[State.xcr0] = machine.object.extendedControl }
    if descriptor.contains(.timeStamp) {
      message[State.timeStamp] = m_rdtsc()
      message[State.timeStampOffset] = block[Offset.timeOffset]
    }
  }

  static func store(_ message: MessageBlock, to context: Reference<Context>, _ descriptor: MessageDescriptor) {
    typealias State = MessageBlock.State
    let machine = machine(of: context)
    let block = machine.object.block
    ThreadState.storeRegisters(message, context, descriptor)
    if descriptor.contains(.registersAtoB) { block[Offset.rax] = message[State.rax] }
    if descriptor.contains(.stackPointer) { block[Offset.rsp] = message[State.rsp] }
    if descriptor.contains(.instructionPointer) { block[Offset.rip] = message[State.rip] }
    if descriptor.contains(.flags) { block[Offset.rflags] = message[State.rflags] }
    guard !descriptor.isSubset(of: general) else { return }
    if !descriptor.isDisjoint(with: anySegment) {
      for segment in 0..<10 where isNamed(segment, descriptor) {
        block[segments[segment]] = message[State.segments + segment * 16]
        block[segments[segment] + 8] = message[State.segments + segment * 16 + 8]
      }
    }
    if descriptor.contains(.segmentsCS) {
      // The privilege level is that of SS: bits 6 and 5 of its attributes. It is a byte of a word that is 0 otherwise.
      block[Offset.privilege] = (block[Offset.es + 0x20] >> 21 & 3) << 24
    }
    if descriptor.contains(.controls) {
      let open = block[half: Offset.intercepts] & window
      block[half: Offset.intercepts] = message[half: State.control] | forced | open
      block[half: Offset.intercepts2] = message[half: State.control2] | forced2
    }
    if descriptor.contains(.injection) {
      let information = message[State.injection]
      if information & 1 << 12 != 0 {
        block[half: Offset.intercepts] |= window
        // A virtual interrupt that comes whatever the task priority is.
        block[Offset.interruptControl] |= 1 << 8 | 1 << 20
      } else {
        block[half: Offset.intercepts] &= ~window
        block[Offset.interruptControl] &= ~(1 << 8 | 1 << 20)
      }
      block[Offset.event] = information & ~0x3000
    }
    if descriptor.contains(.states) {
      block[Offset.interruptShadow] = UInt64(message[half: State.interruptibility] & 1)
    }
    if descriptor.contains(.controlRegisters) {
      block[Offset.cr0] = message[State.cr0]
      block[Offset.cr2] = message[State.cr2]
      block[Offset.cr3] = message[State.cr3]
      block[Offset.cr4] = message[State.cr4]
    }
    if descriptor.contains(.taskPriority) {
      block[Offset.interruptControl] = block[Offset.interruptControl] & ~0xff | message[State.cr8] & 0xf
    }
    if descriptor.contains(.debugRegister) {
      block[Offset.dr7] = message[State.dr7]
      machine.object.setBreakpoints(message[State.dr7] & 0xff != 0)
    }
    if descriptor.contains(.efer) { block[Offset.efer] = message[State.efer] & 0xfd01 | 1 << 12 }
    if descriptor.contains(.syscallRegisters) {
      for index in 0..<5 { block[Offset.star + UInt64(index) * 8] = canonical(message[State.star + index * 8]) }
    }
    if descriptor.contains(.sysenter) {
      for index in 0..<3 {
        block[Offset.sysenterCS + UInt64(index) * 8] = canonical(message[State.sysenterCS + index * 8])
      }
    }
    if descriptor.contains(.extendedControl) {
      // What XSETBV would take of these: x87 always, AVX with SSE only.
      let wanted = message[State.xcr0]
      if unsafe wanted & ~Features.extendedControl == 0, wanted & 1 != 0, wanted & 6 != 4 {
        machine.object.extendedControl = wanted
      }
    }
    if descriptor.contains(.timeStamp) { block[Offset.timeOffset] &+= message[State.timeStampOffset] }
  }

  /// VMLOAD of an address that is none would fault in the kernel.
  private static func canonical(_ address: UInt64) -> UInt64 {
    UInt64(bitPattern: Int64(bitPattern: address << 16) >> 16)
  }
}

/// The guest has left.
@c(kernel_exit) func kernelExit(_ frame: UnsafeMutablePointer<m_registers>) -> UInt64 {
  // What made it leave may be an interrupt, which is taken here: by kernel_trap, which takes the lock.
  m_sti_nop_cli()
  Lock.acquire()
  let context = Reference<Context>(address: UInt64(UInt(bitPattern: frame)))
  VirtualProcessors.exit(context)
  // What comes most: its monitor hears of it at once.
  if context.object.continuation == .event, m_hazard() | context.object.hazard == 0 { Portals.tell(context) }
  return leave()
}

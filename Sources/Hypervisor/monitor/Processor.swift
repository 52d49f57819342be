import Boot
import CHypercall
import Chipset
import HypercallABI
import UserRuntime

/// One of the machine's processors: what the kernel does not do for it. Its exits are handled by a context of its own, where it
/// runs; all of them hold the machine's lock but while they wait.
final class Processor {
  private typealias State = MessageBlock.State

  /// Of the guest's memory.
  static let domain: UInt64 = 0x310
  /// A semaphore that nobody ups.
  static let never: UInt64 = 0x302
  /// Portals with this bit in their id are those of the timers' threads.
  static let timerPortal: UInt64 = 0x1_0000

  private let machine: Machine
  private let index: Int
  private let entry: EntryState
  private let topology: ProcessorIdentification
  private(set) var interrupts: LocalInterrupts
  let timer: Timer

  private enum Phase {
    case running
    /// Until it is told where to begin (Intel SDM 3, 8.4).
    case waiting
    case starting(page: UInt8)
  }
  private var phase: Phase
  /// Whether its handler waits for an interrupt, or for where to begin.
  private var isResting = false

  init(_ machine: Machine, _ index: Int, of count: Int, entry: EntryState) {
    self.machine = machine
    self.index = index
    self.entry = entry
    topology = ProcessorIdentification(index: UInt32(index), count: UInt32(count))
    interrupts = LocalInterrupts(id: UInt32(index))
    phase = index == 0 ? .running : .waiting
    timer = Timer(context: Self.selector(0x320, index), changed: Self.selector(0x321, index))
  }

  // MARK: Objects

  private static func selector(_ first: UInt64, _ index: Int) -> UInt64 { first + UInt64(index) * 0x10 }
  private var context: UInt64 { Self.selector(0x320, index) }
  private var wake: UInt64 { Self.selector(0x322, index) }
  private var handler: UInt64 { Self.selector(0x323, index) }
  private var timerContext: UInt64 { Self.selector(0x324, index) }
  private var events: UInt64 { 0x1000 + UInt64(index) * 0x200 }

  /// Makes what it consists of; false where the kernel will not. The caller's message block serves.
  func start(_ block: MessageBlock) -> Bool {
    let processor = Grants.processor(index)
    var status = Kernel.createSemaphore(Self.selector(0x321, index)) | Kernel.createSemaphore(wake)
    if index == 0 { status |= Kernel.createSemaphore(Processor.never) }
    status |= thread(handler, processor, isGlobal: false, events: Grants.events(index), argument: nil)
    for number in UInt64(0)..<256 where number != Exit.debug && number != Exit.alignment {
      status |= Kernel.createPortal(
        events + number, for: handler, descriptor: Self.state(number).rawValue, id: UInt64(index) << 8 | number)
    }
    let portals = CapabilityRange(.objects, base: events, order: 8)
    status |= Kernel.delegate(portals, to: portals, of: Processor.domain, block)
    status |= Kernel.raw(3, context, flags: 1, Processor.domain, processor, 0, events).status
    // The timer's thread is told where to begin by a portal of the same handler; whoever started the program is told of its faults.
    let faults = CapabilityRange(.objects, base: Grants.events(index), order: 5, rights: Right.all)
    status |= Kernel.delegate(
      faults, to: CapabilityRange(.objects, base: events + 256, order: 5), hotspot: events + 256, block)
    status |= Kernel.createPortal(
      events + 256 + Event.startup, for: handler, descriptor: MessageDescriptor.instructionPointer.rawValue,
      id: Self.timerPortal)
    status |= thread(timerContext, processor, isGlobal: true, events: events + 256, argument: UInt64(index))
    status |= Kernel.createScheduling(Self.selector(0x325, index), for: timerContext, priority: 20)
    status |= Kernel.createScheduling(Self.selector(0x326, index), for: context, priority: 1)
    return status == 0
  }

  private func thread(
    _ selector: UInt64, _ processor: UInt64, isGlobal: Bool, events: UInt64, argument: UInt64?
  ) -> UInt64 {
    let pages: UInt64 = isGlobal ? 1 : 16
    let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(pages) * 4096, alignment: 4096)
    let message: UInt64 = 0x6000_0000 + selector << 12
    let top = UInt64(UInt(bitPattern: memory)) + pages * 4096 - 16
    h_store(top, argument ?? message)
    return Kernel.createContext(
      selector, block: message, processor: processor, stack: top, events: events, isGlobal: isGlobal)
  }

  // MARK: Exits

  private static let common: MessageDescriptor = [
    .registersAtoB, .instructionPointer, .flags, .qualification, .injection, .states,
  ]
  private static let whole = MessageDescriptor(rawValue: 0x17f_ffff & ~(1 << 19))

  private enum Exit {
    static let interruptWindow: UInt64 = 0x64
    static let cpuid: UInt64 = 0x72
    static let invalidate: UInt64 = 0x76
    static let halt: UInt64 = 0x78
    static let port: UInt64 = 0x7b
    static let register: UInt64 = 0x7c
    static let shutdown: UInt64 = 0x7f
    static let call: UInt64 = 0x81
    static let timeStampAndAux: UInt64 = 0x87
    static let writeBack: UInt64 = 0x89
    /// #DB and #AC, which the kernel gives the guest where no portal asks for them.
    static let debug: UInt64 = 0x41
    static let alignment: UInt64 = 0x51
  }

  /// What a message of an event carries.
  private static func state(_ event: UInt64) -> MessageDescriptor {
    switch event {
    case Exit.interruptWindow, Exit.cpuid, Exit.halt, Exit.port, Exit.call, Exit.invalidate, Exit.writeBack,
      Exit.timeStampAndAux, Event.guestRecall:
      common
    case Exit.register: common.union(.efer)
    default: whole
    }
  }

  func exit(_ number: UInt64, _ block: MessageBlock) {
    machine.enter(block, index)
    var changed: MessageDescriptor = [.injection]
    switch number {
    case Event.guestStartup: changed.formUnion(begin(block))
    case Event.guestRecall, Exit.interruptWindow: break
    // Caches are coherent.
    case Exit.invalidate, Exit.writeBack:
      skip(2, block)
      changed.formUnion([.instructionPointer, .states])
    // Not offered: #UD.
    case Exit.timeStampAndAux: block[State.injection] = 1 << 31 | 3 << 8 | 6
    case Exit.cpuid:
      topology.answer(block)
      skip(2, block)
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case Exit.halt:
      skip(1, block)
      changed.formUnion([.instructionPointer, .states])
      halt(block)
    case Exit.port:
      port(block)
      block[State.rip] = block[State.qualification2]
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case Exit.register:
      if block[State.qualification] & 1 == 0 { read(block) } else { changed.formUnion(write(block)) }
      skip(2, block)
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case Exit.call:
      // No call is there (-KVM_ENOSYS).
      block[State.rax] = ~999
      skip(3, block)
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case Event.nestedPageFault:
      access(block)
      changed.formUnion([
        .registersAtoB, .registersBPSIDI, .registers8to15, .stackPointer, .instructionPointer, .states,
      ])
    // Three faults in a row: a PC starts anew, and this machine does not.
    case Exit.shutdown: machine.end(Grants.failure)
    default: machine.end(Grants.failure + number)
    }
    if case .running = phase {} else { changed.formUnion(awaitStartup(block)) }
    if machine.hasWork {
      // Another turn, once others had theirs: this processor comes again before it is in the guest.
      if number == Event.guestRecall { machine.serve() }
      if machine.hasWork { _ = Kernel.raw(9, context, flags: 0) }
    }
    deliver(block)
    block[State.descriptor] = changed.rawValue
    block.counts = 0
    machine.leave()
  }

  private func skip(_ bytes: UInt64, _ block: MessageBlock) {
    block[State.rip] &+= bytes
    block[half: State.interruptibility] = 0
  }

  /// An interrupt goes in where the guest takes one, or the kernel tells when it does.
  private func deliver(_ block: MessageBlock) {
    interrupts.expire(h_rdtsc())
    let isBusy = block[State.injection] & 1 << 31 != 0
    guard let vector = interrupts.pending else {
      if !isBusy { block[State.injection] = 0 }
      return
    }
    if !isBusy, block[State.rflags] & 1 << 9 != 0, block[half: State.interruptibility] == 0 {
      interrupts.deliver(vector)
      block[State.injection] = 1 << 31 | UInt64(vector)
    } else {
      block[State.injection] |= 1 << 12
    }
  }

  /// Waits until another processor, a device or the timer has something for this one.
  private func rest(_ block: MessageBlock, until isOver: () -> Bool) {
    isResting = true
    timer.rest(true)
    while !isOver() {
      machine.leave()
      _ = Kernel.down(wake, toZero: true, deadline: interrupts.deadline)
      machine.enter(block, index)
      interrupts.expire(h_rdtsc())
    }
    timer.rest(false)
    isResting = false
  }

  private func halt(_ block: MessageBlock) {
    // A prompt, say: nothing will end its line before somebody has seen it.
    machine.output.flush(block)
    let takesInterrupts = block[State.rflags] & 1 << 9 != 0
    interrupts.expire(h_rdtsc())
    // Without interrupts it is at its end, unless it is told to begin anew.
    rest(block) {
      if case .running = phase { return takesInterrupts && interrupts.pending != nil }
      return true
    }
  }

  // MARK: Interrupts from elsewhere

  /// Under the machine's lock.
  func take(_ command: InterruptCommand) {
    switch command.mode {
    case .fixed, .lowestPriority: interrupts.request(command.vector)
    // Nothing here depends on those.
    case .nonMaskable: return
    case .initialize:
      // The first is not stopped but by switching off.
      guard index > 0 else { return }
      phase = .waiting
    case .startup:
      guard case .waiting = phase else { return }
      phase = .starting(page: command.vector)
    }
    // The one that is here looks before it goes.
    guard machine.current != index else { return }
    if isResting { _ = Kernel.up(wake) } else { _ = Kernel.raw(9, context, flags: 0) }
  }

  /// Waits for where to begin, and begins there, in real mode.
  private func awaitStartup(_ block: MessageBlock) -> MessageDescriptor {
    interrupts.reset()
    timer.set(0)
    rest(block) { if case .starting = phase { true } else { false } }
    guard case .starting(let page) = phase else { return [] }
    phase = .running
    setRealMode(block, page: UInt64(page))
    block[State.injection] = 0
    block[half: State.interruptibility] = 0
    return MessageDescriptor(rawValue: 0x57_7fff)
  }

  private func setRealMode(_ block: MessageBlock, page: UInt64) {
    for register in 0..<8 { block[State.rax + register * 8] = 0 }
    for register in 0..<8 { block[State.r8 + register * 8] = 0 }
    // Data that can be written, 64 KiB; code the same.
    for segment in 0..<10 {
      let attributes: UInt64 =
        switch segment {
        case 1: 0x9b
        case 6: 0x82
        case 7: 0x8b
        case 8, 9: 0
        default: 0x93
        }
      block[State.segments + segment * 16] = attributes << 16 | 0xffff << 32
      block[State.segments + segment * 16 + 8] = 0
    }
    block[State.segments + 16] |= page << 8
    block[State.segments + 16 + 8] = page << 12
    block[State.rip] = 0
    block[State.rflags] = 2
    block[State.cr0] = 0x10
    block[State.cr2] = 0
    block[State.cr3] = 0
    block[State.cr4] = 0
    block[State.efer] = 0
    block[State.dr7] = 0x400
    for register in 0..<3 { block[State.sysenterCS + register * 8] = 0 }
    setIntercepts(block)
  }

  private func setIntercepts(_ block: MessageBlock) {
    // CPUID, HLT; VMMCALL, RDTSCP.
    block[half: State.control] = 1 << 18 | 1 << 24
    block[half: State.control2] = 1 << 1 | 1 << 7
  }

  /// The first processor enters the kernel; the others wait.
  private func begin(_ block: MessageBlock) -> MessageDescriptor {
    guard index == 0 else { return [] }
    func segment(_ index: Int, _ descriptor: SegmentDescriptor) {
      let encoded = descriptor.encoded
      let attributes = (encoded >> 40 & 0xff) | (encoded >> 52 & 0xf) << 8
      block[State.segments + index * 16] =
        UInt64(descriptor.selector) | attributes << 16 | UInt64(descriptor.limit) << 32
      block[State.segments + index * 16 + 8] = UInt64(descriptor.base)
    }
    for index in [0, 2, 3, 4, 5] { segment(index, entry.data) }
    segment(1, entry.code)
    segment(7, entry.task)
    block[State.segments + 6 * 16] = 0x82 << 16
    block[State.segments + 6 * 16 + 8] = 0
    block[State.segments + 8 * 16] = UInt64(entry.gdtLimit) << 32
    block[State.segments + 8 * 16 + 8] = entry.gdtBase
    block[State.segments + 9 * 16] = 0
    block[State.segments + 9 * 16 + 8] = 0
    block[State.rip] = entry.instructionPointer
    block[State.rflags] = entry.rflags
    block[State.rsi] = entry.rsi
    block[State.rbx] = entry.rbx
    block[State.cr0] = entry.cr0
    block[State.cr3] = entry.cr3
    block[State.cr4] = entry.cr4
    block[State.efer] = entry.efer
    setIntercepts(block)
    block[State.injection] = 0
    return MessageDescriptor(rawValue: 0x17_7fff)
  }

  // MARK: Memory that is none

  private func access(_ block: MessageBlock) {
    let address = block[State.qualification2]
    let translation = Translation(
      cr0: block[State.cr0], cr3: block[State.cr3], cr4: block[State.cr4], efer: block[State.efer])
    let code = block[State.segments + 16] >> 16
    let isLong = translation.efer & 1 << 10 != 0 && code & 1 << 9 != 0
    let mode: Instruction.Mode = isLong ? .bits64 : code & 1 << 10 != 0 ? .bits32 : .bits16
    let linear = isLong ? block[State.rip] : (block[State.segments + 24] &+ block[State.rip]) & 0xffff_ffff
    let found = translation.instruction(at: linear, machine.memory)
    guard let instruction = Instruction(found.bytes, count: found.count, mode) else {
      // Nothing that accesses registers: the guest has lost its way.
      machine.end(Grants.failure + Event.nestedPageFault)
    }
    // Registers are in a message by their numbers.
    let place = State.rax + instruction.register * 8
    if instruction.isWrite {
      machine.write(instruction.written(block[place]), address, width: instruction.width)
    } else {
      block[place] = instruction.result(machine.read(address, width: instruction.width), old: block[place])
    }
    machine.serve()
    skip(UInt64(instruction.length), block)
  }

  // MARK: Ports

  private func port(_ block: MessageBlock) {
    let information = block[State.qualification]
    let number = UInt16(truncatingIfNeeded: information >> 16)
    let mask: UInt64 = information & 1 << 4 != 0 ? 0xff : information & 1 << 5 != 0 ? 0xffff : 0xffff_ffff
    if information & 1 != 0 {
      let value = machine.read(port: number)
      block[State.rax] = mask == 0xffff_ffff ? value & mask : block[State.rax] & ~mask | value & mask
    } else {
      machine.write(UInt8(truncatingIfNeeded: block[State.rax]), port: number)
    }
  }

  // MARK: Registers

  private enum Register {
    static let timeStamp: UInt32 = 0x10
    static let apicBase: UInt32 = 0x1b
    static let pageAttributes: UInt32 = 0x277
    static let deadline: UInt32 = 0x6e0
    static let localAPIC: UInt32 = 0x800
    static let efer: UInt32 = 0xc000_0080
  }

  private func read(_ block: MessageBlock) {
    let register = UInt32(truncatingIfNeeded: block[State.rcx])
    let value: UInt64
    switch register {
    case Register.timeStamp: value = h_rdtsc()
    // Enabled, in x2APIC mode; of the first processor.
    case Register.apicBase: value = 0xfee0_0c00 | (index == 0 ? 1 << 8 : 0)
    case Register.localAPIC..<Register.localAPIC + 0x40: value = interrupts.read(Int(register - Register.localAPIC))
    case Register.deadline: value = interrupts.deadline
    case Register.efer: value = block[State.efer]
    case Register.pageAttributes: value = 0x0007_0406_0007_0406
    default: value = 0
    }
    block[State.rax] = value & 0xffff_ffff
    block[State.rdx] = value >> 32
  }

  private func write(_ block: MessageBlock) -> MessageDescriptor {
    let register = UInt32(truncatingIfNeeded: block[State.rcx])
    let value = block[State.rax] & 0xffff_ffff | block[State.rdx] << 32
    switch register {
    case Register.localAPIC..<Register.localAPIC + 0x40:
      if let command = interrupts.write(Int(register - Register.localAPIC), value) {
        machine.send(command, from: interrupts.id)
      }
    case Register.deadline:
      interrupts.arm(value)
      timer.set(value)
    case Register.efer:
      // LMA follows paging.
      block[State.efer] = value & ~(1 << 10) | block[State.efer] & 1 << 10
      return .efer
    case GuestClock.wallRegister: machine.clock.writeWall(to: value, machine.memory)
    case GuestClock.systemRegister: machine.clock.writeSystem(value, machine.memory)
    default: break
    }
    return []
  }
}

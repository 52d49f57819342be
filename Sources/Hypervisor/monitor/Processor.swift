import Boot
import CHypercall
import HypercallABI
import UserRuntime

/// The machine's processor: what the kernel does not do for it.
final class Processor {
  private typealias State = MessageBlock.State
  private static let domain: UInt64 = 0x310
  private static let context: UInt64 = 0x311
  private static let handler: UInt64 = 0x313
  private static let events: UInt64 = 0x400
  /// Which nobody ups.
  static let never: UInt64 = 0x302

  /// Where the guest switches itself off, or starts anew.
  static let powerPort: UInt16 = 0x600

  private let entry: EntryState
  private let processor = Grants.word(.processor)
  private var interrupts = LocalInterrupts()
  private var serial = SerialRegisters()
  private var output = Output()
  let timer = Timer(context: Processor.context)

  init(_ entry: EntryState) { self.entry = entry }

  func start() -> Bool {
    guard let block = MessageBlock(address: Root.messageBlock) else { return false }
    var status = Kernel.createSemaphore(Processor.never) | Kernel.createSemaphore(Timer.changed)
    status |= Kernel.createDomain(Processor.domain, pages: 1000)
    let order = UInt64((Grants.word(.ramSize) >> 12).trailingZeroBitCount)
    status |= Kernel.delegate(
      CapabilityRange(.memory, base: Grants.ram >> 12, order: order, rights: 7),
      to: CapabilityRange(.memory, base: 0, order: order, rights: 7), of: Processor.domain, bits: 1 << 9, block)
    status |= thread(Processor.handler, isGlobal: false, events: 0, argument: nil)
    for number in UInt64(0)..<256 {
      status |= Kernel.createPortal(
        Processor.events + number, for: Processor.handler, descriptor: 0x17f_ffff & ~(1 << 19), id: 0x100 | number)
    }
    status |= Kernel.delegate(
      CapabilityRange(.objects, base: Processor.events, order: 8),
      to: CapabilityRange(.objects, base: Processor.events, order: 8),
      of: Processor.domain, block)
    status |= Kernel.raw(3, Processor.context, flags: 1, Processor.domain, processor, 0, Processor.events).status
    // The timer's thread is told where to begin by a portal of the same handler.
    status |= Kernel.createPortal(0x600 + 30, for: Processor.handler, descriptor: 8, id: Timer.startup)
    status |= thread(0x314, isGlobal: true, events: 0x600, argument: 0)
    status |= Kernel.createScheduling(0x316, for: 0x314, priority: 20)
    status |= Kernel.createScheduling(0x317, for: Processor.context, priority: 1)
    return status == 0
  }

  private func thread(_ selector: UInt64, isGlobal: Bool, events: UInt64, argument: UInt64?) -> UInt64 {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: 4 * 4096, alignment: 4096)
    let stack = UInt64(UInt(bitPattern: memory))
    let message: UInt64 = 0x6000_0000 + selector << 12
    let top = stack + 4 * 4096 - 16
    h_store(top, argument ?? message)
    return Kernel.createContext(
      selector, block: message, processor: processor, stack: top, events: events, isGlobal: isGlobal)
  }

  // MARK: Exits

  func exit(_ number: UInt64, _ block: MessageBlock) {
    var changed: MessageDescriptor = [.injection]
    switch number {
    case Event.guestStartup: changed.formUnion(begin(block))
    case Event.guestRecall, 0x64: break
    case 0x72:
      processorIdentification(block)
      skip(2, block)
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case 0x78:
      skip(1, block)
      changed.formUnion([.instructionPointer, .states])
      halt(block)
    case 0x7b:
      port(block)
      block[State.rip] = block[State.qualification2]
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case 0x7c:
      if block[State.qualification] & 1 == 0 { read(block) } else { changed.formUnion(write(block)) }
      skip(2, block)
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    case 0x81:
      block[State.rax] = ~999
      skip(3, block)
      changed.formUnion([.registersAtoB, .instructionPointer, .states])
    default:
      Output.end(1, block)
    }
    deliver(block)
    block[State.descriptor] = changed.rawValue
    block.counts = 0
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

  private func halt(_ block: MessageBlock) {
    guard block[State.rflags] & 1 << 9 != 0 else { Output.end(1, block) }
    interrupts.expire(h_rdtsc())
    while interrupts.pending == nil {
      guard interrupts.deadline != 0 else { Output.end(1, block) }
      _ = Kernel.down(Processor.never, deadline: interrupts.deadline)
      interrupts.expire(h_rdtsc())
    }
  }

  private func begin(_ block: MessageBlock) -> MessageDescriptor {
    func segment(_ index: Int, _ descriptor: SegmentDescriptor, isUsable: Bool = true) {
      let encoded = descriptor.encoded
      let attributes = isUsable ? (encoded >> 40 & 0xff) | (encoded >> 52 & 0xf) << 8 : 0
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
    // CPUID, HLT; VMMCALL.
    block[half: State.control] = 1 << 18 | 1 << 24
    block[half: State.control2] = 1 << 1
    block[State.injection] = 0
    return MessageDescriptor(rawValue: 0x17_7fff)
  }

  // MARK: Ports

  private func port(_ block: MessageBlock) {
    let information = block[State.qualification]
    let number = UInt16(truncatingIfNeeded: information >> 16)
    let mask: UInt64 = information & 1 << 4 != 0 ? 0xff : information & 1 << 5 != 0 ? 0xffff : 0xffff_ffff
    if information & 1 != 0 {
      let value = serial.read(number) ?? .max
      block[State.rax] = mask == 0xffff_ffff ? value & mask : block[State.rax] & ~mask | value & mask
    } else if number == Processor.powerPort {
      let value = UInt8(truncatingIfNeeded: block[State.rax])
      if value == PowerRegisters.sleepValue { Output.end(0, block) }
      if value == PowerRegisters.resetValue { Output.end(1, block) }
    } else {
      if let byte = serial.write(number, UInt8(truncatingIfNeeded: block[State.rax])) { output.put(byte, block) }
    }
  }

  // MARK: Registers

  private func read(_ block: MessageBlock) {
    let register = UInt32(truncatingIfNeeded: block[State.rcx])
    let value: UInt64
    switch register {
    case 0x10: value = h_rdtsc()
    // Enabled, in x2APIC mode, of the first processor.
    case 0x1b: value = 0xfee0_0d00
    case 0x800..<0x840: value = interrupts.read(Int(register - 0x800))
    case 0x6e0: value = interrupts.deadline
    case 0xc000_0080: value = block[State.efer]
    case 0x277: value = 0x0007_0406_0007_0406
    default: value = 0
    }
    block[State.rax] = value & 0xffff_ffff
    block[State.rdx] = value >> 32
  }

  private func write(_ block: MessageBlock) -> MessageDescriptor {
    let register = UInt32(truncatingIfNeeded: block[State.rcx])
    let value = block[State.rax] & 0xffff_ffff | block[State.rdx] << 32
    switch register {
    case 0x800..<0x840: interrupts.write(Int(register - 0x800), value)
    case 0x6e0:
      interrupts.arm(value)
      Timer.set(value)
    case 0xc000_0080:
      // LMA follows paging.
      block[State.efer] = value & ~(1 << 10) | block[State.efer] & 1 << 10
      return .efer
    default: break
    }
    return []
  }

  private func processorIdentification(_ block: MessageBlock) {
    let leaf = UInt32(truncatingIfNeeded: block[State.rax])
    var result = h_cpuid(leaf, UInt32(truncatingIfNeeded: block[State.rcx]))
    switch leaf {
    case 1:
      result.ebx = result.ebx & 0xffff | 1 << 16
      // No MONITOR, no XSAVE nor AVX; x2APIC, the deadline timer, a hypervisor.
      result.ecx = result.ecx & ~(1 << 3 | 7 << 26 | 1 << 12 | 1 << 29) | 1 << 21 | 1 << 24 | 1 << 31
      result.edx &= ~(1 << 28)
    case 7: result.ebx &= ~(1 << 5 | 1 << 10)
    case 0x4000_0000: result = h_registers(eax: 0x4000_0001, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d)
    case 5, 0xa, 0xb, 0xd, 0x1f, 0x8000_000a, 0x4000_0001...0x4000_ffff: result = h_registers()
    case 0x8000_0001: result.ecx &= ~(1 << 2)
    default: break
    }
    block[State.rax] = UInt64(result.eax)
    block[State.rbx] = UInt64(result.ebx)
    block[State.rcx] = UInt64(result.ecx)
    block[State.rdx] = UInt64(result.edx)
  }
}

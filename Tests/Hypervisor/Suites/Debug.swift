import CHypercall
import HypercallABI
import UserRuntime

// What a guest does with debug registers and debug exceptions: none of it reaches another guest, and none of it keeps the
// processor. Guests are in real mode and say what they find by ports.

private enum Port {
  static let reached: UInt64 = 0x10
  static let handler: UInt64 = 0x11
  static let value: UInt64 = 0x12
}

nonisolated(unsafe) private var machine: UInt64 = 0
nonisolated(unsafe) private var told: UInt64 = 0
/// Nobody ups it.
nonisolated(unsafe) private var grave: UInt64 = 0
/// What the guests have let know, by their numbers: exits and ports, and the value of the last port.
nonisolated(unsafe) private var exits = InlineArray<8, UInt64>(repeating: 0)
nonisolated(unsafe) private var values = InlineArray<8, UInt64>(repeating: 0)
nonisolated(unsafe) private var gates = InlineArray<8, UInt64>(repeating: 0)

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  Heap.open(Suite.memory(16), 16 * 4096)
  unsafe told = Suite.semaphore()
  unsafe grave = Suite.semaphore()
  unsafe machine = Suite.selector()
  Suite.expect("a domain", Kernel.createDomain(unsafe machine, pages: 200), 0)
  breakpoints()
  exceptions()
  Suite.end()
}

private func breakpoints() {
  // mov eax, 0x1234; mov dr0, eax; and mov eax, dr0; out eax
  keeps(
    0, 0x1234, set: [0x66, 0xb8, 0x34, 0x12, 0, 0, 0x0f, 0x23, 0xc0], ask: [0x0f, 0x21, 0xc0, 0x66, 0xe7, 0x12])
  // With one that is armed: mov eax, 0x5678; mov dr1, eax; mov eax, 0x404; mov dr7, eax; and mov eax, dr1; out eax
  keeps(
    2, 0x5678,
    set: [0x66, 0xb8, 0x78, 0x56, 0, 0, 0x0f, 0x23, 0xc8, 0x66, 0xb8, 0x04, 0x04, 0, 0, 0x0f, 0x23, 0xf8],
    ask: [0x0f, 0x21, 0xc8, 0x66, 0xe7, 0x12])
}

/// What guest `first` has in a register by `set`, the next does not find there by `ask`, and the first finds it again.
private func keeps(_ first: UInt64, _ value: UInt64, set: [UInt8], ask: [UInt8]) {
  let second = first + 1
  // Between them: out
  guest(first, set + [0xe6, 0x10] + ask)
  Suite.expect("the first has set it", heard(first), 0x7b)
  guest(second, ask)
  Suite.expect("the second asks", heard(second), 0x7b)
  Suite.expect("it finds nothing", unsafe values[Int(second)], Port.value << 32)
  goOn(first)
  Suite.expect("the first asks", heard(first), 0x7b)
  Suite.expect("it finds its own", unsafe values[Int(first)], Port.value << 32 | value)
}

/// A guest traces itself: its monitor is told of the exception where it has a portal for that, and the guest has it otherwise.
private func exceptions() {
  // pushf; pop ax; or ah, 1; push ax; popf; nop; out; and behind 0x100 the handler: mov eax, 7; out 0x11, al
  let code: [UInt8] = [0x9c, 0x58, 0x80, 0xcc, 0x01, 0x50, 0x9d, 0x90, 0xe6, 0x10]
  for number in UInt64(4)...5 { guest(number, code, tellsDebug: number == 5) }
  Suite.expect("without a portal the guest has it", heard(4), 0x7b)
  Suite.expect("in its handler", unsafe values[4], Port.handler << 32 | 7)
  Suite.expect("with a portal the monitor has it", heard(5), 0x41)
}

/// Waits for what guest `number` lets know.
private func heard(_ number: UInt64) -> UInt64 {
  while unsafe exits[Int(number)] == 0 { _ = Kernel.down(unsafe told) }
  let exit = unsafe exits[Int(number)]
  unsafe exits[Int(number)] = 0
  return exit
}

/// It runs until it lets something know, as it is more urgent than the root task; so it must.
private func goOn(_ number: UInt64) { _ = Kernel.up(unsafe gates[Int(number)]) }

/// Starts a guest in real mode with `code` at the beginning of a page of its own, and a handler of #DB at 0x100 there.
private func guest(_ number: UInt64, _ code: [UInt8], tellsDebug: Bool = false) {
  let page = Suite.memory(rights: 7)
  func put(_ offset: UInt64, _ bytes: [UInt8]) {
    for (index, byte) in bytes.enumerated() {
      unsafe UnsafeMutablePointer<UInt8>(bitPattern: UInt(page + offset))![index] = byte
    }
  }
  put(0, code + [0xeb, 0xfe])
  put(0x100, [0x66, 0xb8, 7, 0, 0, 0, 0xe6, 0x11, 0xeb, 0xfe])
  // The vectors' table is at 0x800; #DB is its second: offset and segment.
  put(0x804, [0x00, 0x01, 0x00, UInt8(0x10 + number)])
  let source = CapabilityRange(.memory, base: page >> 12, order: 0, rights: 7)
  let window = CapabilityRange(.memory, base: 0x10 + number, order: 0, rights: 7)
  Suite.expect("guest memory", Kernel.delegate(source, to: window, of: unsafe machine, bits: 1 << 9, Suite.block), 0)
  unsafe gates[Int(number)] = Suite.semaphore()
  let handler = Suite.selector()
  _ = Suite.handler(handler)
  let events = 0x800 + number * 0x100
  let numbers: InlineArray<6, UInt64> = [0x7b, 252, 253, 254, 0x7f, 0x41]
  for index in 0..<(tellsDebug ? 6 : 5) {
    let portal = Suite.selector()
    let id = 0x1000 | number << 8 | numbers[index]
    Suite.expect("portal", Kernel.createPortal(portal, for: handler, descriptor: 0x7fffff, id: id), 0)
    Threads.give(portal, to: unsafe machine, at: events + numbers[index])
  }
  let context = Suite.selector(2)
  Suite.expect("a virtual processor", Kernel.raw(3, context, flags: 1, unsafe machine, 0, 0, events).status, 0)
  Suite.expect("its time", Kernel.createScheduling(context + 1, for: context, priority: 2), 0)
}

@c(user_thread) func userThread(_ argument: UInt64) {}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  typealias State = MessageBlock.State
  guard let block = MessageBlock(address: address) else { return }
  block.counts = 0
  let (number, exit) = (id >> 8 & 7, id & 0xff)
  if exit == 254 { return realMode(block, 0x10 + number) }
  unsafe exits[Int(number)] = exit
  if exit == 0x7b {
    unsafe values[Int(number)] = (block[State.qualification] >> 16 & 0xffff) << 32 | block[State.rax] & 0xffff_ffff
  }
  _ = Kernel.up(unsafe told)
  _ = Kernel.down(unsafe exit == 0x7b ? gates[Int(number)] : grave)
  block[State.rip] = block[State.qualification2]
  block[State.descriptor] = MessageDescriptor.instructionPointer.rawValue
}

/// As after reset, at the beginning of a page below 1 MiB.
private func realMode(_ block: MessageBlock, _ page: UInt64) {
  typealias State = MessageBlock.State
  for segment in 0..<10 {
    let attributes: UInt64 = segment == 1 ? 0x9b : segment == 6 ? 0x82 : segment == 7 ? 0x8b : 0x93
    block[State.segments + segment * 16] = attributes << 16 | 0xffff << 32 | (segment < 6 ? page << 8 : 0)
    block[State.segments + segment * 16 + 8] = segment < 6 ? page << 12 : 0
  }
  block[State.segments + 9 * 16 + 8] = page << 12 | 0x800
  block[State.rip] = 0
  block[State.rsp] = 0xf00
  block[State.rflags] = 2
  block[State.cr0] = 0x10
  block[half: State.control] = 0
  block[half: State.control2] = 0
  block[State.efer] = 0
  block[State.dr7] = 0x400
  block[State.injection] = 0
}

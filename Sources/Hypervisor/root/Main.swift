import CHypercall
import HypercallABI
import UserRuntime

// The partition manager: starts what the text in the module `machines` says, each program in a protection domain of its own
// with what it is given there and no more; shows what they say; takes everything back from one when that is wanted.

private let ended: UInt64 = 0x80
private let spoke: UInt64 = 0x81
private let heapSize: UInt64 = 4 << 20
nonisolated(unsafe) private var domains: [Domain] = []
nonisolated(unsafe) private var outputs: [Output] = []
/// The last program's status that is not 0.
nonisolated(unsafe) private var status: UInt64 = 0
nonisolated(unsafe) private var speaker: UInt64 = 0

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  let ports = CapabilityRange(.ports, base: 0, order: 16)
  _ = Kernel.delegate(ports, to: ports, bits: 1 << 11, Resources.block)
  guard let heap = Resources.allocate(heapSize) else { return end("too little memory") }
  Heap.open(Resources.map(heap, heapSize), heapSize)
  unsafe Resources.seconds = WallClock.seconds
  unsafe Resources.ticks = h_rdtsc()
  guard Kernel.createSemaphore(ended) | Kernel.createSemaphore(spoke) == 0 else { return end("no semaphores") }
  guard let module = Resources.module(named: [UInt8]("machines".utf8)) else { return end("no module 'machines'") }
  var fault: UInt64 = 0
  let text = Grants.bytes(at: Resources.map(module.address, module.size), module.size)
  guard let sections = Section.all(in: text, fault: &fault) else {
    Console.line("root: module 'machines' is wrong in line", fault)
    return end("nothing is started")
  }
  guard sections.count <= 8, !sections.isEmpty else { return end("no programs, or more than 8") }
  for (number, section) in sections.enumerated() {
    unsafe outputs.append(Output(UInt64(number), section))
    unsafe domains.append(Domain(UInt64(number), section))
  }
  for domain in unsafe domains where !domain.start() { return end("a program cannot be started") }
  let watched = unsafe domains.filter { !$0.section.until.isEmpty }.count
  for _ in 0..<watched {
    _ = Kernel.down(spoke)
    unsafe domains[Int(speaker)].end()
    Console.line("root: took everything from program", unsafe speaker)
  }
  for _ in unsafe 0..<domains.count - watched { _ = Kernel.down(ended) }
  Console.line("root: status", unsafe status)
  h_out8(0xf4, unsafe status == 0 ? 1 : 2)
  while true { _ = Kernel.down(Root.suspendSemaphore) }
}

private func end(_ why: StaticString) {
  Console.write("root: ")
  Console.write(why)
  Console.put(10)
  h_out8(0xf4, 2)
  while true { h_pause() }
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  let number = Int(id & 7)
  switch id & 0xf00 {
  case 0x100:
    block[MessageBlock.State.rip] = unsafe entries[number]
    block[MessageBlock.State.rsp] = Root.information
    block[MessageBlock.State.descriptor] = 0xc
    block.counts = 0
  case 0x200:
    if unsafe outputs[number].take(block) {
      unsafe speaker = UInt64(number)
      _ = Kernel.up(spoke)
    }
    block.counts = 0
  default:
    let result = block.word(0)
    if result != 0 { unsafe status = result }
    Console.write("root: program ")
    Console.write(UInt64(number))
    Console.line(result < Grants.failure ? " ended with" : " failed with", result)
    _ = Kernel.up(ended)
    // It has nothing to go on with.
    while true { _ = Kernel.down(Root.suspendSemaphore) }
  }
}

@c(user_thread) func userThread(_ argument: UInt64) {}

import CHypercall
import HypercallABI
import UserRuntime

// The partition manager: starts what the text in the module `machines` says, each program in a protection domain of its own
// with what it is given there and no more; shows what they say; takes everything back from one that has ended or failed, or when
// that is wanted.

/// Upped whenever something has become of a program.
let news: UInt64 = 0x80
/// Nobody ups it.
let never: UInt64 = 0x81
private let heapSize: UInt64 = 4 << 20
nonisolated(unsafe) private var programs: [Program] = []

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  let ports = CapabilityRange(.ports, base: 0, order: 16)
  _ = Kernel.delegate(ports, to: ports, bits: 1 << 11, Resources.block)
  guard let heap = Resources.allocate(heapSize) else { return end("too little memory") }
  Heap.open(Resources.map(heap, heapSize), heapSize)
  unsafe Resources.seconds = WallClock.seconds
  unsafe Resources.ticks = h_rdtsc()
  guard Kernel.createSemaphore(news) | Kernel.createSemaphore(never) == 0 else { return end("no semaphores") }
  guard let module = Resources.module(named: [UInt8]("machines".utf8)) else { return end("no module 'machines'") }
  let text = Grants.bytes(at: Resources.map(module.address, module.size), module.size)
  var sections: [Section] = []
  do throws(Section.Fault) {
    sections = try Section.all(in: text)
  } catch {
    Console.write("root: module 'machines', line ")
    Console.write(error.line)
    Console.write(": ")
    Console.write(error.why)
    Console.put(10)
    return end("nothing is started")
  }
  guard sections.count <= 8, !sections.isEmpty else { return end("no programs, or more than 8") }
  for (number, section) in sections.enumerated() {
    unsafe programs.append(Program(UInt64(number), section))
  }
  guard connect() else { return end("a program cannot be started") }
  var status: UInt64 = 0
  while unsafe programs.contains(where: { $0.isThere }) {
    _ = Kernel.down(news)
    for program in unsafe programs {
      if let ended = program.look(), ended != 0 { status = ended }
    }
    if !connect() { status = Grants.failure }
    while release() {}
  }
  Console.line("root: status", status)
  h_out8(0xf4, status == 0 ? 1 : 2)
  while true { _ = Kernel.down(never) }
}

/// Starts those who wait, where what they use is there, and lets others have that again. False where one could not be started.
private func connect() -> Bool {
  // Nobody speaks before all are there.
  Output.lock.take()
  defer { Output.lock.give() }
  var isComplete = true
  for program in unsafe programs where program.isThere {
    let offers = program.section.uses.compactMap { name in unsafe programs.first { $0.section.offers == name } }
    if program.isWaiting, !offers.allSatisfy({ $0.isThere }) {
      program.giveUp()
      isComplete = false
    } else if offers.allSatisfy({ $0.isReady }) {
      let services = offers.map { $0.service(program) }
      if !program.isWaiting {
        program.give(services)
      } else if !program.start(services) {
        isComplete = false
      }
    }
  }
  return isComplete
}

/// Ends one whose service is for programs that are all gone. False where there is none.
private func release() -> Bool {
  Output.lock.take()
  defer { Output.lock.give() }
  for program in unsafe programs where program.isRunning && !program.section.offers.isEmpty {
    let users = unsafe programs.filter { $0.section.uses.contains(program.section.offers) }
    if !users.isEmpty, !users.contains(where: { $0.isThere }) {
      program.release()
      return true
    }
  }
  return false
}

private func end(_ why: StaticString) {
  Console.write("root: ")
  Console.write(why)
  Console.put(10)
  h_out8(0xf4, 2)
  while true { _ = Kernel.down(never) }
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  let call = Domain.Call(id)
  unsafe programs[call.program].take(call, block)
}

@c(user_thread) func userThread(_ argument: UInt64) {}

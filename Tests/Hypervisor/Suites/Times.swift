import CHypercall
import HypercallABI
import UserRuntime

// What takes how long, by the emulation's own count of instructions: whatever else the host has to do, it says the same.

nonisolated(unsafe) private var done: UInt64 = 0
/// Which nobody ups.
nonisolated(unsafe) private var grave: UInt64 = 0
nonisolated(unsafe) private var busy: UInt64 = 0
nonisolated(unsafe) private var inside: UInt64 = 0
nonisolated(unsafe) private var answered: UInt64 = 0

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Suite.begin()
  unsafe done = Suite.semaphore()
  unsafe grave = Suite.semaphore()
  accounts()
  timeouts()
  helping()
  Suite.end()
}

private var milliseconds: UInt64 { Information.kilohertz }

private func used() -> UInt64 {
  let time = Kernel.raw(0xa, Root.schedulingContext)
  return time.first << 32 | time.second
}

private func accounts() {
  let before = used()
  let end = h_rdtsc() + 30 * milliseconds
  while h_rdtsc() < end { h_pause() }
  let micros = used() - before
  // Turns of 10 ms are accounted for at their ends.
  Console.line("suite: microseconds of 30 ms", micros)
  Suite.expect("30 ms, but for a turn at either end", micros >= 20_000 && micros <= 40_000)
}

/// The last one set is the first.
private func timeouts() {
  let start = h_rdtsc()
  var latest: UInt64 = 0
  for turn in UInt64(0)..<4 {
    let deadline = h_rdtsc() + (20 - turn * 5) * milliseconds
    Suite.expect("a timeout", Kernel.down(unsafe grave, deadline: deadline).status, Status.timeout.rawValue)
    let now = h_rdtsc()
    Suite.expect("not before its time", now >= deadline)
    latest = max(latest, now - deadline)
  }
  Console.line("suite: the latest timeout is late by", latest)
  Suite.expect("nor later than by 1 us", latest < milliseconds / 1000)
  Suite.expect("all of them", h_rdtsc() - start < 51 * milliseconds)
}

/// Someone urgent calls a handler that is at work for someone who is not: it is helped to an end.
private func helping() {
  let events = Threads.events()
  let slow = Suite.selector(2)
  _ = Suite.handler(slow)
  Suite.expect("a portal", Kernel.createPortal(slow + 1, for: slow, id: 0x2000), 0)
  unsafe busy = slow + 1
  _ = Threads.start(20, priority: 1, events: events)
  // It runs in turns with this one, until it is in the handler.
  while unsafe h_load(insideAddress()) == 0 { _ = Kernel.raw(9, 0, flags: 1) }
  Suite.expect("busy, and no help wanted", Kernel.call(slow + 1, failing: true), Status.timeout.rawValue)
  unsafe h_store(insideAddress(), 2)
  let start = h_rdtsc()
  _ = Threads.start(21, priority: 50, events: events)
  // It ran at once, as it is more urgent than this one.
  let took = unsafe answered - start
  Console.line("suite: an answer by help after", took)
  Suite.expect("soon", took < milliseconds / 100)
  Suite.expect("both end", Kernel.down(unsafe done).status, 0)
  Suite.expect("both end", Kernel.down(unsafe done).status, 0)
}

@unsafe private func insideAddress() -> UInt64 {
  unsafe withUnsafeMutablePointer(to: &inside) { UInt64(UInt(bitPattern: $0)) }
}

@c(user_thread) func userThread(_ argument: UInt64) {
  _ = Kernel.call(unsafe busy)
  if argument == 21 { unsafe answered = h_rdtsc() }
  _ = Kernel.up(unsafe done)
  while true { _ = Kernel.down(unsafe grave) }
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  switch id {
  case 0x1001:
    block[MessageBlock.State.rip] = h_thread_address()
    block[MessageBlock.State.descriptor] = MessageDescriptor.instructionPointer.rawValue
  case 0x2000:
    unsafe h_store(insideAddress(), h_load(insideAddress()) == 0 ? 1 : h_load(insideAddress()))
    while unsafe h_load(insideAddress()) == 1 { h_pause() }
  default: break
  }
  block.counts = 0
}

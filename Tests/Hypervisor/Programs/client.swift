import CHypercall
import HypercallABI
import UserRuntime

// A client of drivers, which does what the lines of its section say, one after the other: `ticks MS N` of the timer; `write TEXT` to
// the serial line, and `echo`, which writes back a line that comes; `functions`; `read SECTOR COUNT` of the disk; `hostile` with all
// of them; `wait`
// until the first of its services has ended twice.

private var block: MessageBlock { MessageBlock(address: Root.messageBlock)! }
/// Where a semaphore of a service's comes to, and a buffer.
private let semaphore: UInt64 = 0x500
private let buffer: UInt64 = 0x60_0000_0000
private let bufferWindow = CapabilityRange(.memory, base: buffer >> 12, order: 4)

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  for directive in Grants.section {
    let numbers = directive.words.compactMap { Directive.number($0) }
    if directive.isKey("ticks") { ticks(numbers[0], numbers[1]) }
    if directive.isKey("write") { write(directive.value) }
    if directive.isKey("echo") { echo() }
    if directive.isKey("functions") { functions() }
    if directive.isKey("read") { read(numbers[0], numbers[1]) }
    if directive.isKey("hostile") { hostile() }
    if directive.isKey("wait") { wait() }
  }
  Report.end(0)
}

private func service(_ name: StaticString) -> Int {
  var index = 0
  for directive in Grants.section where directive.isKey("uses") {
    if Directive.equal(directive.value, name) { return index }
    index += 1
  }
  Report.end(Grants.failure)
}

/// The answer's first word; who is not there answers nothing.
private func ask(_ name: StaticString, _ words: UInt64..., window: CapabilityRange = .null) -> UInt64 {
  for (index, word) in words.enumerated() { block.setWord(index, word) }
  block.setCounts(untyped: UInt64(words.count))
  block.delegateWindow = window
  return Kernel.call(Grants.service(service(name))) == 0 ? block.word(0) : .max
}

private func opened(_ index: UInt64) -> CapabilityRange { CapabilityRange(.objects, base: semaphore + index, order: 0) }

private func ticks(_ milliseconds: UInt64, _ count: UInt64) {
  guard ask("timer", milliseconds, window: opened(0)) == Service.done else { return Report.line("no ticks") }
  _ = Kernel.down(semaphore)
  let start = h_rdtsc()
  for _ in 0..<count { _ = Kernel.down(semaphore) }
  let took = (h_rdtsc() - start) / Information.kilohertz
  // Later, where the host had other things to do.
  let isRight = took * 10 >= milliseconds * count * 9
  Report.line("ticks ", isRight ? "of their time" : String(took))
  // It may wait, and no more.
  Report.line("upped by a client: ", String(Kernel.up(semaphore)))
}

private func write(_ text: [UInt8]) {
  block.setBytes((text + [10])[...], at: 2)
  block.setWord(0, 1)
  block.setWord(1, UInt64(text.count + 1))
  block.setCounts(untyped: UInt64(2 + (text.count + 8) / 8))
  _ = Kernel.call(Grants.service(service("serial")))
}

private func echo() {
  guard ask("serial", 0, window: opened(1)) == Service.done else { return Report.line("the line is another's") }
  var line: [UInt8] = []
  while !line.contains(10) {
    _ = Kernel.down(semaphore + 1)
    guard ask("serial", 2) == Service.done else { break }
    line += block.bytes(Int(block.word(1)), at: 2)
  }
  write(line.filter { $0 != 10 && $0 != 13 })
}

private func functions() {
  var index: UInt64 = 0
  while ask("functions", 0, index) == Service.done {
    if block.word(2) & 0xffff == 0x1af4 {
      Report.line("a virtio function ", String(block.word(1)), block.word(3) == 0 ? ", free" : ", taken")
    }
    index += 1
  }
}

/// Says the sum of what it reads.
private func read(_ sector: UInt64, _ count: UInt64) {
  guard ask("blocks", 0, window: bufferWindow) == Service.done else { return Report.line("no disk") }
  let status = ask("blocks", 1, sector, count)
  guard status == Service.done else { return Report.line("not read: ", String(status)) }
  var sum: UInt64 = 0
  for place in 0..<count * 64 { sum = sum &* 31 &+ h_load(buffer + place * 8) }
  Report.line("sum ", String(sum))
}

/// What nobody may have: each is refused, and the service goes on.
private func hostile() {
  func refused(_ what: String, _ answer: UInt64) {
    if answer != Service.refused { Report.line("not refused: ", what, ", ", String(answer)) }
  }
  guard ask("blocks", 0, window: bufferWindow) == Service.done else { return Report.line("no disk") }
  let sectors = block.word(1)
  refused("the one behind the last", ask("blocks", 1, sectors, 1))
  refused("more than there are", ask("blocks", 1, sectors - 1, 2))
  refused("more than goes into a buffer", ask("blocks", 1, 0, 129))
  refused("none", ask("blocks", 1, 0, 0))
  refused("a sum that wraps", ask("blocks", 1, .max, 2))
  refused("a count that wraps", ask("blocks", 1, 1, .max))
  refused("no arguments", ask("blocks", 1))
  refused("no words", ask("blocks"))
  refused("an operation that is none", ask("blocks", 77, 0, 1))
  // What it gives along goes nowhere.
  block.setWord(0, 1)
  block.counts = 1 | 1 << 16
  block.setItem(0, TypedItem(CapabilityRange(.memory, base: Grants.heap >> 12, order: 0, rights: 3), word: 1))
  _ = Kernel.call(Grants.service(service("blocks")))
  // The buffer is for reading, and its own memory goes without harm while it is read into.
  let more = CapabilityRange(.memory, base: buffer >> 12, order: 4, rights: 3)
  refused("to write to the buffer", Kernel.lookup(more).rights & 2 == 0 ? Service.refused : 0)
  _ = Kernel.revoke(bufferWindow)
  if ask("blocks", 1, 0, 128) != Service.done { Report.line("without its buffer it reads nothing") }
  refused("a function of another's", ask("functions", 1, 0x1042_1af4))
  refused("its configuration space", ask("functions", 2, 0x10, 0))
  refused("to start it", ask("functions", 3, 0x10))
  refused("a bridge", ask("functions", 1, 0x29c0_8086))
  refused("one that is none", ask("functions", 0, .max))
  refused("a line longer than the message", ask("serial", 1, 4000))
  refused("a line of another's", ask("serial", 2))
  Report.line("all refused")
}

private func wait() {
  var ends = 0
  while ends < 2 {
    block.counts = 0
    // In between it has none.
    if Kernel.call(Grants.service(0)) == Status.aborted.rawValue { ends += 1 }
    _ = Kernel.raw(9, 0, flags: 1)
  }
  Report.line("its service has ended twice")
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {}
@c(user_thread) func userThread(_ argument: UInt64) {}

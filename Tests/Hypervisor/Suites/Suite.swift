import CHypercall
import HypercallABI
import UserRuntime

/// What every suite's root task begins with and reports by.
enum Suite {
  nonisolated(unsafe) static var failures: UInt64 = 0
  nonisolated(unsafe) static var checks: UInt64 = 0
  nonisolated(unsafe) private static var nextSelector: UInt64 = 0x1000
  nonisolated(unsafe) private static var nextPage: UInt64 = 0x1000_0000
  static var block: MessageBlock { MessageBlock(address: Root.messageBlock)! }

  /// The root task takes all ports.
  static func begin() {
    let all = CapabilityRange(.ports, base: 0, order: 16)
    _ = Kernel.delegate(all, to: all, bits: 1 << 11, block)
  }

  static func end() -> Never {
    unsafe Console.line("suite: checks", checks)
    unsafe Console.line("suite: failures", failures)
    unsafe h_out8(0xf4, failures == 0 ? 1 : 2)
    while true { h_pause() }
  }

  static func expect(_ what: StaticString, _ got: UInt64, _ wanted: UInt64, line: UInt64 = #line) {
    unsafe checks += 1
    guard got != wanted else { return }
    unsafe failures += 1
    Console.write("FAIL ")
    Console.write(what)
    Console.write(", line ")
    Console.write(line)
    Console.write(": ")
    Console.write(got)
    Console.write(" instead of ")
    Console.write(wanted)
    Console.put(10)
  }

  static func expect(_ what: StaticString, _ holds: Bool, line: UInt64 = #line) {
    expect(what, holds ? 1 : 0, 1, line: line)
  }

  /// One that nothing is at.
  static func selector(_ count: UInt64 = 1) -> UInt64 {
    unsafe nextSelector += count
    return unsafe nextSelector - count
  }

  /// A new semaphore's, whose count is 0.
  static func semaphore(line: UInt64 = #line) -> UInt64 {
    let selector = selector()
    expect("create", Kernel.createSemaphore(selector), 0, line: line)
    return selector
  }

  /// An address that nothing is at.
  static func page(_ count: UInt64 = 1) -> UInt64 {
    unsafe nextPage += count * 4096
    return unsafe nextPage - count * 4096
  }

  // MARK: Memory

  nonisolated(unsafe) private static var nextFrame: UInt64 = 0

  /// Physical memory that is free: from 16 MiB on.
  static func frame(_ count: UInt64 = 1) -> UInt64 {
    if unsafe nextFrame == 0 { unsafe nextFrame = 16 << 20 }
    unsafe nextFrame += count * 4096
    return unsafe nextFrame - count * 4096
  }

  /// Fresh pages, which the root task may read and write.
  static func memory(_ count: UInt64 = 1, rights: UInt64 = 3) -> UInt64 {
    let address = page(count)
    for index in 0..<count {
      let source = CapabilityRange(.memory, base: frame() >> 12, order: 0, rights: rights)
      let target = CapabilityRange(.memory, base: (address >> 12) + index, order: 0, rights: rights)
      expect("memory", Kernel.delegate(source, to: target, hotspot: source.base, bits: 1 << 11, block), 0)
    }
    return address
  }

  // MARK: Threads

  /// A handler's context with a stack of its own; returns its message block.
  static func handler(
    _ selector: UInt64, processor: UInt64 = 0, events: UInt64 = 0, in domain: UInt64 = Root.protectionDomain
  ) -> UInt64 {
    let stack = memory(4)
    let block = page()
    let top = stack + 4 * 4096 - 16
    h_store(top, block)
    expect(
      "create a handler",
      Kernel.createContext(selector, in: domain, block: block, processor: processor, stack: top, events: events), 0)
    return block
  }
}

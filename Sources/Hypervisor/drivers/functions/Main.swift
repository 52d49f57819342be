import CHypercall
import HypercallABI
import UserRuntime

// PCI's functions: found, listed, and each handed out to one program, with its memory. What a program gets is what lies in the
// memory of devices that this one has, by whole pages.

/// What a client asks for, in the first word of its call; others are arguments.
private enum Operation {
  /// The nth of all: answers with its address, its identity, and whether somebody has it.
  static let list: UInt64 = 0
  /// One of that identity: answers with its address, and the sizes of its six memories; these are given.
  static let claim: UInt64 = 1
  /// A word of an own function's configuration space.
  static let read: UInt64 = 2
  /// An own function is to work.
  static let enable: UInt64 = 3
}

nonisolated(unsafe) private var functions: [Function] = []
nonisolated(unsafe) private var memory: (first: UInt64, size: UInt64) = (0, 0)

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  guard let block = MessageBlock(address: Root.messageBlock) else { return }
  unsafe memory = (Grants.number("physical") ?? 0, Grants.number("physical", 1) ?? 0)
  for address in UInt16(0)...0xffff {
    // Others than the first only where there is a first.
    if address & 7 != 0, unsafe functions.last.map({ $0.address & ~7 != address & ~7 }) ?? true { continue }
    if let function = Function(address) { unsafe functions.append(function) }
  }
  guard Service.offer(block) else { Report.end(Grants.failure) }
  Report.line("functions: ", unsafe String(functions.count))
  while true { _ = Kernel.down(Service.never) }
}

@c(user_portal) func userPortal(_ client: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  let (argument, offset) = (block.word(1), block.word(2))
  switch (block.word(0), block.untyped) {
  case (Operation.list, 2...):
    guard unsafe argument < UInt64(functions.count) else { break }
    let function = unsafe functions[Int(argument)]
    return Service.answer(
      block, Service.done, UInt64(function.address), UInt64(function.identity), function.owner == nil ? 0 : 1)
  case (Operation.claim, 2...):
    guard let index = free(argument, client) else { break }
    unsafe functions[index].owner = client
    return give(unsafe functions[index], block)
  case (Operation.read, 3...):
    guard let function = own(argument, client), offset < 256 else { break }
    return Service.answer(block, Service.done, UInt64(function.read(offset)))
  case (Operation.enable, 2...):
    guard let function = own(argument, client) else { break }
    function.enable()
    return Service.answer(block, Service.done)
  default: break
  }
  Service.answer(block, Service.refused)
}

/// One of that identity that nobody has, or the client itself: who begins anew.
private func free(_ identity: UInt64, _ client: UInt64) -> Int? {
  unsafe functions.firstIndex {
    UInt64($0.identity) == identity && !$0.isBridge && ($0.owner == nil || $0.owner == client)
  }
}

private func own(_ address: UInt64, _ client: UInt64) -> Function? {
  unsafe functions.first { UInt64($0.address) == address && $0.owner == client }
}

/// Memory n of a function at n MiB of the client's window.
private func give(_ function: Function, _ block: MessageBlock) {
  function.reset()
  Service.answer(block, Service.done, UInt64(function.address), 0, 0, 0, 0, 0, 0)
  for index in 0..<6 {
    let (base, size) = function.memory[index]
    let (first, whole) = unsafe memory
    // Less than a page would be others', too.
    guard size >= 4096, size <= 1 << 20, base >= first, base - first < whole, size <= whole - (base - first) else {
      continue
    }
    block.setWord(2 + index, size)
    let pages = CapabilityRange(
      .memory, base: (Grants.physical + base) >> 12, order: UInt64((size >> 12).trailingZeroBitCount), rights: 3)
    Service.give(pages, hotspot: UInt64(index) << 8, in: block)
  }
}

@c(user_thread) func userThread(_ argument: UInt64) {}

import CHypercall
import HypercallABI
import UserRuntime

// PCI's functions: found, listed, and each handed out to one program, with its memory. What a program gets is what lies in the
// memory of devices that this one has, by whole pages.

nonisolated(unsafe) private var functions: [Function] = []
nonisolated(unsafe) private var memory: (first: UInt64, size: UInt64) = (0, 0)

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  guard let block = MessageBlock(address: Root.messageBlock) else { return }
  unsafe memory = (Grants.number("physical") ?? 0, Grants.number("physical", 1) ?? 0)
  var first: Function?
  for address in UInt16(0)...0xffff {
    // Others than the first only where there is a first that says so.
    if address & 7 != 0, first?.hasOthers != true { continue }
    let function = Function(address)
    if address & 7 == 0 { first = function }
    if let function { unsafe functions.append(function) }
  }
  guard Service.offer(block) else { Report.end(Grants.failure) }
  Report.line("functions: ", unsafe String(functions.count))
  while true { _ = Kernel.down(Service.never) }
}

@c(user_portal) func userPortal(_ client: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  let (argument, offset) = (block.word(1), block.word(2))
  switch (block.word(0), block.untyped) {
  case (FunctionOperation.list, 2...):
    guard unsafe argument < UInt64(functions.count) else { break }
    let function = unsafe functions[Int(argument)]
    return Service.answer(
      block, Service.done, UInt64(function.address), UInt64(function.identity), function.owner == nil ? 0 : 1)
  case (FunctionOperation.claim, 2...):
    guard let index = free(argument, client) else { break }
    unsafe functions[index].owner = client
    return give(unsafe functions[index], block)
  case (FunctionOperation.read, 3...):
    guard let function = own(argument, client), offset < 256 else { break }
    return Service.answer(block, Service.done, UInt64(function.read(offset)))
  case (FunctionOperation.enable, 2...):
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
    // Less than a page would be others', too; and what it is and where is the device's word.
    guard size >= 4096, size <= 1 << 20, size & (size - 1) == 0, base & (size - 1) == 0, base >= first,
      base - first < whole, size <= whole - (base - first)
    else {
      continue
    }
    block.setWord(2 + index, size)
    let pages = CapabilityRange(
      .memory, base: (Grants.physical + base) >> 12, order: UInt64((size >> 12).trailingZeroBitCount), rights: 3)
    Service.give(pages, hotspot: UInt64(index) << 8, in: block)
  }
}

@c(user_thread) func userThread(_ argument: UInt64) {}

import CHypercall
import HypercallABI
import UserRuntime

// The monitor: a program without privileges, one for each machine. It has a domain, memory, and portals to whoever started it
// (Grants).

nonisolated(unsafe) private var machine: Machine?

@c(user_main) func userMain(_ number: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  guard let block = MessageBlock(address: Root.messageBlock) else { return }
  do throws(Machine.Failure) {
    let new = try Machine(block)
    unsafe machine = new
    guard new.start() else { return fail("the kernel has too little for the machine", block) }
  } catch {
    switch error {
    case .boot: fail("the kernel or its initramfs cannot be loaded", block)
    case .tree(.damaged(let place)): fail("the tree is no tar archive: there is no header at byte", block, place)
    case .tree(.truncated(let place)):
      fail("the tree is no whole archive: its end is missing, in or behind the entry at byte", block, place)
    case .tree(.unsupported(let place)):
      fail("the tree has a file without its holes, or a part of one (tar --sparse, --multi-volume), at", block, place)
    case .tree(.tooManyEntries(let limit)):
      fail("the tree has more files than its heap has room for ('heap', in its section), which are", block, limit)
    case .heap: fail("its heap ('heap', in its section) is smaller than 8 MiB", block)
    case .missing: fail("there is no kernel, or no memory", block)
    case .line(let line): fail("its section says what no machine has:", block, text: line)
    }
  }
  while true { _ = Kernel.down(Processor.never) }
}

private func fail(_ why: StaticString, _ block: MessageBlock, _ number: Int) {
  fail(why, block, text: Array(String(number).utf8))
}

private func fail(_ why: StaticString, _ block: MessageBlock, text: [UInt8] = []) {
  var line = Array("monitor: ".utf8)
  // Within the literal.
  for index in 0..<why.utf8CodeUnitCount { line.append(unsafe why.utf8Start[index]) }
  if !text.isEmpty { line += [32] + text }
  Output().write((line + [10])[...], to: Grants.console, block)
  Output.end(Grants.failure, block)
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address), let machine = unsafe machine else { return }
  if id & Processor.timerPortal != 0 {
    block[MessageBlock.State.rip] = h_thread_address()
    block[MessageBlock.State.descriptor] = MessageDescriptor.instructionPointer.rawValue
    block.counts = 0
    return
  }
  let index = Int(id >> 8 & 0xff)
  guard index < machine.processors.count else { return }
  machine.processors[index].exit(id & 0xff, block)
}

@c(user_thread) func userThread(_ argument: UInt64) {
  guard let machine = unsafe machine, argument < UInt64(machine.processors.count) else { return }
  machine.processors[Int(argument)].timer.run()
}

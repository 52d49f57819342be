import CHypercall
import HypercallABI
import UserRuntime

// The PC's timer. A client says how many milliseconds, and gets a semaphore that goes up whenever these have passed; 0 ends it.

private let interrupt = Root.interrupts + 2
private let semaphores: UInt64 = 0x400
/// Of each client: what it wants, and what has passed of it.
nonisolated(unsafe) private var periods = InlineArray<8, UInt64>(repeating: 0)
nonisolated(unsafe) private var passed = InlineArray<8, UInt64>(repeating: 0)

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  guard let block = MessageBlock(address: Root.messageBlock) else { return }
  var status: UInt64 = 0
  for client in 0..<UInt64(Grants.programLimit) { status |= Kernel.createSemaphore(semaphores + client) }
  // The interrupt comes to this program's processor, on an edge.
  status |= Kernel.raw(0xe, interrupt, flags: 4, 0, Grants.processor(0), 0).status
  // 1.193182 MHz divided down to 100 Hz, again and again (Intel 8254, mode 2).
  h_out8(0x43, 0x34)
  let divisor: UInt16 = 11932
  h_out8(0x40, UInt8(truncatingIfNeeded: divisor))
  h_out8(0x40, UInt8(truncatingIfNeeded: divisor >> 8))
  guard status == 0, Service.offer(block) else { Report.end(Grants.failure) }
  Report.line("timer: 100 Hz")
  while Kernel.down(interrupt).isSuccess {
    for client in 0..<Grants.programLimit {
      guard unsafe periods[client] > 0 else { continue }
      unsafe passed[client] += 10
      guard unsafe passed[client] >= periods[client] else { continue }
      unsafe passed[client] = 0
      _ = Kernel.up(semaphores + UInt64(client))
    }
  }
  Report.end(Grants.failure)
}

/// A call of a client's.
@c(user_portal) func userPortal(_ client: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  unsafe passed[Int(client)] = 0
  unsafe periods[Int(client)] = block.untyped > 0 ? block.word(0) : 0
  Service.answer(block, Service.done)
  Service.give(CapabilityRange(.objects, base: semaphores + client, order: 0, rights: Right.down), in: block)
}

@c(user_thread) func userThread(_ argument: UInt64) {}

import CHypercall
import HypercallABI
import UserRuntime

// A program that does what the lines of its section say, one after the other: `say TEXT`, without an end of the line; `line TEXT`;
// `fault N`, on the Nth of its processors; `offer` of a service that
// answers nothing; `end N`; `spin`.

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  for directive in Grants.section {
    if directive.isKey("say") { Report.say(directive.value) }
    if directive.isKey("line") { Report.say(directive.value + [10]) }
    if directive.isKey("fault") { fault(Int(directive.number ?? 0)) }
    if directive.isKey("end") { Report.end(directive.number ?? 0) }
    if directive.isKey("offer") { _ = Service.offer(MessageBlock(address: Root.messageBlock)!) }
    if directive.isKey("spin") { while true { h_pause() } }
  }
  Report.end(0)
}

/// In a handler there, which this thread waits for.
private func fault(_ index: Int) {
  let memory = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
  let message: UInt64 = 0x6000_0000
  let top = UInt64(UInt(bitPattern: memory)) + 8192 - 16
  h_store(top, message)
  _ = Kernel.createContext(
    0x300, block: message, processor: Grants.processor(index), stack: top, events: Grants.events(index))
  _ = Kernel.createPortal(0x301, for: 0x300)
  MessageBlock(address: Root.messageBlock)?.counts = 0
  _ = Kernel.call(0x301)
}

@c(user_portal) func userPortal(_ id: UInt64, _ address: UInt64) { _ = h_load(0x1238) }

@c(user_thread) func userThread(_ argument: UInt64) {}

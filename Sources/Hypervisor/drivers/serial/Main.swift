import CHypercall
import HypercallABI
import UserRuntime

// A serial line (National Semiconductor 16550), whose ports and interrupt are those of its section. All clients may write; who has
// opened it first reads.

/// What a client asks for, in the first word of its call.
private enum Operation {
  /// Answers with a semaphore that goes up when bytes have come.
  static let open: UInt64 = 0
  /// How many bytes, and these.
  static let write: UInt64 = 1
  /// Answers with how many bytes have come, and these.
  static let read: UInt64 = 2
}

private enum Register {
  static let data: UInt16 = 0
  static let interrupts: UInt16 = 1
  static let buffers: UInt16 = 2
  static let format: UInt16 = 3
  static let modem: UInt16 = 4
}

private let semaphore: UInt64 = 0x400
nonisolated(unsafe) private var line: UInt16 = 0
nonisolated(unsafe) private var reader: UInt64?
/// Bytes that have come and nobody has read yet. Under the lock.
nonisolated(unsafe) private var input: [UInt8] = []
private let limit = 4096
private let lock = SpinLock()

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  guard let block = MessageBlock(address: Root.messageBlock), let port = Grants.number("ports"), port < 0xfff8,
    let number = Grants.number("interrupt")
  else { Report.end(Grants.failure) }
  unsafe line = UInt16(port)
  start()
  guard h_in8(unsafe line + 5) != 0xff else {
    Report.line("serial: there is no line")
    Report.end(Grants.failure)
  }
  let interrupt = Root.interrupts + number
  var status = Kernel.createSemaphore(semaphore)
  status |= Kernel.raw(0xe, interrupt, flags: 4, 0, Grants.processor(0), 0).status
  guard status == 0, Service.offer(block) else { Report.end(Grants.failure) }
  while true {
    take()
    guard Kernel.down(interrupt).isSuccess else { Report.end(Grants.failure) }
  }
}

/// 115200 bits a second, eight of them a byte; buffers; an interrupt for each byte that comes.
private func start() {
  h_out8(unsafe line + Register.interrupts, 0)
  h_out8(unsafe line + Register.format, 0x80)
  h_out8(unsafe line + Register.data, 1)
  h_out8(unsafe line + Register.interrupts, 0)
  h_out8(unsafe line + Register.format, 3)
  h_out8(unsafe line + Register.buffers, 7)
  h_out8(unsafe line + Register.modem, 0xb)
  h_out8(unsafe line + Register.interrupts, 1)
}

/// What has come; beyond what there is room for, it is lost.
private func take() {
  var isNew = false
  lock.take()
  while h_in8(unsafe line + 5) & 1 != 0 {
    let byte = h_in8(unsafe line + Register.data)
    if unsafe input.count < limit { unsafe input.append(byte) }
    isNew = true
  }
  lock.give()
  if isNew { _ = Kernel.up(semaphore) }
}

@c(user_portal) func userPortal(_ client: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address) else { return }
  let (operation, count) = (block.word(0), block.word(1))
  switch (operation, block.untyped) {
  case (Operation.open, 1...):
    unsafe reader = reader ?? client
    guard unsafe reader == client else { break }
    Service.answer(block, Service.done)
    return Service.give(CapabilityRange(.objects, base: semaphore, order: 0, rights: Right.down), in: block)
  case (Operation.write, 2...):
    // As many as the message has.
    guard count <= min((block.untyped - 2) * 8, UInt64(Grants.outputLimit)) else { break }
    for byte in block.bytes(Int(count), at: 2) { Console.put(byte, to: unsafe line) }
    return Service.answer(block, Service.done)
  case (Operation.read, 1...):
    guard unsafe reader == client else { break }
    lock.take()
    let bytes = unsafe input.prefix(Grants.outputLimit)
    unsafe input.removeFirst(bytes.count)
    lock.give()
    block.setBytes(bytes, at: 2)
    Service.answer(block, Service.done, UInt64(bytes.count))
    return block.setCounts(untyped: UInt64(2 + (bytes.count + 7) / 8))
  default: break
  }
  Service.answer(block, Service.refused)
}

@c(user_thread) func userThread(_ argument: UInt64) {}

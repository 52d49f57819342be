import CHypercall
import HypercallABI
import UserRuntime

// A disk's blocks, for reading. A client opens it, gets a buffer of 64 KiB, and finds there what it asks for.

/// What a client asks for, in the first word of its call.
private enum Operation {
  /// Answers with the count of sectors of 512 bytes; the buffer is given.
  static let open: UInt64 = 0
  /// From a sector on, so many, up to 128.
  static let read: UInt64 = 1
}

nonisolated(unsafe) private var disk: Disk?

@c(user_main) func userMain(_ processor: UInt64, _ information: UInt64) {
  Heap.open(Grants.heap, Grants.word(.heapSize))
  guard let block = MessageBlock(address: Root.messageBlock), let number = Grants.number("interrupt") else {
    Report.end(Grants.failure)
  }
  // By its number of today, or by the one that drivers of old know it by, too.
  guard let function = VirtioFunction(0x1042_1af4, block) ?? VirtioFunction(0x1001_1af4, block) else {
    Report.line("blocks: there is no disk")
    Report.end(Grants.failure)
  }
  unsafe disk = Disk(function, interrupt: Root.interrupts + number)
  guard let disk = unsafe disk else {
    Report.line("blocks: the disk does not start")
    Report.end(Grants.failure)
  }
  guard Service.offer(block) else { Report.end(Grants.failure) }
  Report.line("blocks: ", String(disk.sectors), " sectors")
  while true { _ = Kernel.down(Service.never) }
}

@c(user_portal) func userPortal(_ client: UInt64, _ address: UInt64) {
  guard let block = MessageBlock(address: address), let sectors = unsafe disk?.sectors else { return }
  let (sector, count) = (block.word(1), block.word(2))
  switch (block.word(0), block.untyped) {
  case (Operation.open, 1...):
    Service.answer(block, Service.done, sectors)
    Service.give(CapabilityRange(.memory, base: Disk.buffer(client) >> 12, order: 4, rights: 1), in: block)
  case (Operation.read, 3...):
    guard count > 0, count <= Disk.bufferSize / Disk.sectorSize, sector < sectors, count <= sectors - sector else {
      return Service.answer(block, Service.refused)
    }
    let isRead = unsafe disk?.read(sector, count: count, for: client) ?? false
    Service.answer(block, isRead ? Service.done : Service.failed)
  default: Service.answer(block, Service.refused)
  }
}

@c(user_thread) func userThread(_ argument: UInt64) {}

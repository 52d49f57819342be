import CHypercall
import HypercallABI
import UserRuntime

/// A disk by virtio (Virtio 1.2, 5.2), one request at a time. Its device reads and writes the memory of this program's that it was
/// told of: a queue, a request, and buffers of 64 KiB, one for each client.
struct Disk {
  static let sectorSize: UInt64 = 512
  static let bufferSize: UInt64 = 1 << 16
  /// In 512 bytes.
  let sectors: UInt64
  private let function: VirtioFunction
  private let interrupt: UInt64
  private var requests: UInt16 = 0
  /// It has not answered once: whatever it does then, nobody looks.
  private var isBroken = false

  /// Bytes from the memory's start on.
  private enum Place {
    static let table: UInt64 = 0
    static let available: UInt64 = 0x800
    static let used: UInt64 = 0x1000
    static let request: UInt64 = 0x2000
    static let status: UInt64 = 0x2010
  }
  private static let entries: UInt16 = 8

  static func buffer(_ client: UInt64) -> UInt64 { Grants.ram + (1 + client) * bufferSize }

  init?(_ function: VirtioFunction, interrupt: UInt64) {
    self.function = function
    self.interrupt = interrupt
    unsafe h_fill_bytes(UnsafeMutableRawPointer(bitPattern: UInt(Grants.ram)), 0, Grants.word(.ramSize))
    // The message that ups the semaphore.
    let message = Kernel.raw(0xe, interrupt, 0, Grants.processor(0), 0)
    let memory = Grants.word(.physical)
    guard message.isSuccess, memory != 0, Grants.word(.ramSize) >= 1 << 20,
      function.start(
        entries: Self.entries, table: memory + Place.table, available: memory + Place.available,
        used: memory + Place.used, message: (message.first, message.second))
    else { return nil }
    sectors = UInt64(h_read32(function.configuration)) | UInt64(h_read32(function.configuration + 4)) << 32
  }

  /// Reads sectors into a client's buffer. False where the device does not do that.
  mutating func read(_ sector: UInt64, count: UInt64, for client: UInt64) -> Bool {
    guard !isBroken else { return false }
    let memory = Grants.word(.physical)
    h_store(Grants.ram + Place.request, 0)
    h_store(Grants.ram + Place.request + 8, sector)
    h_write8(Grants.ram + Place.status, 0xff)
    let buffer = memory + Self.buffer(client) - Grants.ram
    describe(0, memory + Place.request, 16, flags: 1, next: 1)
    describe(1, buffer, count * Self.sectorSize, flags: 3, next: 2)
    describe(2, memory + Place.status, 1, flags: 2, next: 0)
    h_write16(Grants.ram + Place.available + 4 + UInt64(requests % Self.entries) * 2, 0)
    requests &+= 1
    h_write16(Grants.ram + Place.available + 2, requests)
    function.ring()
    let deadline = h_rdtsc() + Information.kilohertz * 10_000
    while h_read16(Grants.ram + Place.used + 2) != requests {
      // Whatever else it has to say.
      guard h_rdtsc() < deadline, Kernel.down(interrupt, deadline: deadline).isSuccess else {
        isBroken = true
        return false
      }
    }
    return h_read8(Grants.ram + Place.status) == 0
  }

  private func describe(_ index: UInt64, _ address: UInt64, _ size: UInt64, flags: UInt64, next: UInt64) {
    h_store(Grants.ram + Place.table + index * 16, address)
    h_store(Grants.ram + Place.table + index * 16 + 8, size | flags << 32 | next << 48)
  }
}

import Devices
import GuestMemory
import PCI
import State
import Virtio

/// A device in a state whose checks hold and whose contents are anything: a good one, with chains that the device holds, changed as
/// the input says, three bytes a change (section or descriptor table, place, value). It is refused, or the device goes on, can be
/// saved and restored once more, and can be reset: no trap, and no byte outside RAM.
@c(LLVMFuzzerTestOneInput)
public func fuzzDeviceState(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size).prefix(600))
  guard let kind = input.first else { return 0 }
  let memory = clearedMemory()
  let isOnBus = kind & 8 != 0
  let before = machine(kind, memory, isOnBus: isOnBus)
  var tables: [UInt64] = []
  if let mmio = before.transport as? MMIOTransport {
    start(mmio, kind, memory)
    tables = mmio.queues.indices.map { ring($0) }
    if let card = mmio.device as? VsockDevice { hold(card, mmio, memory) }
    serve(mmio)
    (mmio.device as? BlockDevice)?.settle()
  }
  var writer = StateWriter()
  guard (try? before.transport.save(to: &writer, place: 0)) != nil else { return 0 }
  guard var sections = try? StateReader(writer.finish()).contents else { fatalError("what is written is not read") }
  var place = 1
  while place + 3 <= input.count {
    let index = Int(input[place]) % (sections.count + tables.count)
    if index >= sections.count {
      // The guest's own, which it may have changed since.
      let address = tables[index - sections.count] + UInt64(input[place + 1]) % (16 * queueSize)
      try! memory.store(input[place + 2], at: address)
    } else if !sections[index].payload.isEmpty {
      let count = sections[index].payload.count
      // Long ones have 256 places that can be named.
      let step = max(count / 256, 1)
      sections[index].payload[Int(input[place + 1]) * step % count] = input[place + 2]
    }
    place += 3
  }
  var changed = StateWriter()
  for section in sections { changed.add(section.tag, instance: section.instance, payload: section.payload) }
  let after = machine(kind, memory, isOnBus: isOnBus)
  do throws(StateError) {
    var reader = try StateReader(changed.finish())
    try after.transport.restore(from: &reader, place: 0)
    try reader.finish()
    try goOn(after.transport, as: machine(kind, memory, isOnBus: isOnBus).transport)
    after.transport.wake()
    for _ in 0..<4 { serve(after.transport) }
    try goOn(after.transport, as: machine(kind, memory, isOnBus: isOnBus).transport)
  } catch {}
  after.transport.device.reset()
  return 0
}

/// What can be saved can be restored.
private func goOn(_ old: Transport, as new: Transport) throws(StateError) {
  (old.device as? BlockDevice)?.settle()
  var writer = StateWriter()
  try old.save(to: &writer, place: 0)
  do throws(StateError) {
    var reader = try StateReader(writer.finish())
    try new.restore(from: &reader, place: 0)
    try reader.finish()
  } catch {
    fatalError("what was saved is refused: \(error)")
  }
  new.device.reset()
}

private func serve(_ transport: Transport) {
  for queue in transport.queues {
    do throws(QueueFault) { try transport.device.process(queue) } catch { transport.needsReset() }
  }
}

private func machine(_ kind: UInt8, _ memory: GuestMemory, isOnBus: Bool) -> (transport: Transport, host: Host) {
  let host = Host(isSlow: kind & 0x80 != 0)
  let device: any VirtioDevice
  switch kind % 8 {
  case 0: device = ConsoleDevice(columns: 80, rows: 25, backend: host)
  case 1: device = BalloonDevice(memory: memory, backend: host)
  case 2: device = EntropyDevice(source: host)
  case 3: device = PersistentMemoryDevice(0x1_0000_0000..<0x1_0020_0000, backend: host)
  case 4: device = BlockDevice(size: 1 << 20, queueCount: 2, queueSize: 16, backend: host)
  case 5: device = VsockDevice(guestCID: 3)
  case 6: device = FileSystemDevice(tag: [1], requestQueues: 2, backend: host)
  default: device = NetworkDevice(address: [2, 0, 0, 0, 0, 1], mtu: 1500, pairs: 2, queueSize: 16, backend: host)
  }
  let transport: Transport =
    isOnBus
    ? PCITransport(device, memory: memory, address: 0xe000_0000, sink: host, owner: host)
    : MMIOTransport(device, memory: memory, line: host, owner: host)
  return (transport, host)
}

private let queueSize: UInt64 = 8

/// Where a queue's descriptor table is; its available ring is 0x400 behind that, and its used ring as much behind that one.
private func ring(_ queue: Int) -> UInt64 { 0x1000 * UInt64(queue + 1) }

/// By the registers of Virtio 1.2, table 4.1.
private func start(_ mmio: MMIOTransport, _ kind: UInt8, _ memory: GuestMemory) {
  func write(_ value: UInt32, _ offset: UInt64) { mmio.write(value, offset: offset, width: 4) }
  for status in [1, 3] as [UInt32] { write(status, 0x70) }
  for word in [0, 1] as [UInt32] {
    write(word, 0x14)
    write(word, 0x24)
    write(mmio.read(offset: 0x10, width: 4), 0x20)
  }
  write(11, 0x70)
  for queue in mmio.queues.indices {
    write(UInt32(queue), 0x30)
    write(UInt32(queueSize), 0x38)
    for (index, register) in ([0x80, 0x90, 0xa0] as [UInt64]).enumerated() {
      write(UInt32(ring(queue)) + 0x400 * UInt32(index), register)
    }
    write(1, 0x44)
    // A card of streams is told what to do with those that it reads (`hold`).
    if mmio.device is VsockDevice, queue == 1 { continue }
    offer(queue, kind, memory)
  }
  if kind & 0x40 == 0 { write(15, 0x70) }
}

/// Makes chains available: of a descriptor that the device reads and one that it writes, or of one, which on each other queue it
/// writes.
private func offer(_ queue: Int, _ kind: UInt8, _ memory: GuestMemory) {
  let isPair = kind & 0x10 != 0
  for index in 0..<queueSize {
    let isWritten = isPair ? index & 1 == 1 : (queue & 1 == 0) != (kind & 0x20 != 0)
    let hasNext = isPair && index & 1 == 0
    describe(
      ring(queue), index, at: 0x1_0000 + 0x8000 * UInt64(queue) + 0x1000 * index, isWritten ? 0x201 : 0x80,
      flags: (hasNext ? 1 : 0) | (isWritten ? 2 : 0), memory)
    if !isPair || hasNext { publish(ring(queue), UInt16(index), memory) }
  }
}

private func describe(
  _ table: UInt64, _ index: UInt64, at address: UInt64, _ length: UInt32, flags: UInt16, _ memory: GuestMemory
) {
  try! memory.store(address, at: table + 16 * index)
  try! memory.store(length, at: table + 16 * index + 8)
  try! memory.store(flags, at: table + 16 * index + 12)
  try! memory.store(UInt16(index + 1), at: table + 16 * index + 14)
}

private func publish(_ table: UInt64, _ head: UInt16, _ memory: GuestMemory) {
  let count: UInt16 = try! memory.load(at: table + 0x402)
  try! memory.store(head, at: table + 0x404 + 2 * (UInt64(count) % queueSize))
  try! memory.store(count &+ 1, at: table + 0x402)
}

/// Has a card take buffers for data that do not come: of a stream that the guest accepts, and then ends.
private func hold(_ card: VsockDevice, _ mmio: MMIOTransport, _ memory: GuestMemory) {
  guard let stream = card.connect(toGuestPort: 7, Silence()) else { return }
  // VIRTIO_VSOCK_OP_RESPONSE and _RST (Virtio 1.2, 5.10.6).
  for (index, operation) in ([2, 3] as [UInt8]).enumerated() {
    var packet = [UInt8](repeating: 0, count: 44)
    (packet[0], packet[8], packet[16], packet[28], packet[30], packet[38]) = (3, 2, 7, 1, operation, 1)
    for byte in 0..<4 { packet[20 + byte] = UInt8(truncatingIfNeeded: stream.hostPort >> (8 * UInt32(byte))) }
    let address = 0x7_0000 + 0x100 * UInt64(index)
    try! memory.write(packet, at: address)
    describe(ring(1), UInt64(index), at: address, 44, flags: 0, memory)
    publish(ring(1), UInt16(index), memory)
    serve(mmio)
    card.readable(stream)
  }
}

private final class Silence: VsockEndpoint {
  func opened(hostPort: UInt32) {}
  func read(into slices: [GuestSlice]) -> VsockTransfer { .blocked }
  func write(_ slices: [GuestSlice]) -> VsockTransfer { .moved(slices.byteCount) }
  func write(_ bytes: Span<UInt8>) -> VsockTransfer { .moved(bytes.count) }
  func endOutput() {}
  func endInput() {}
  func close() {}
}

/// A host that has nothing, and takes everything or begins nothing.
private final class Host: ConsoleBackend, BalloonBackend, EntropySource, PersistentMemoryBackend, BlockBackend,
  NetworkBackend, FileSystemBackend,
  MessageSink, InterruptLine, TransportOwner
{
  private let isSlow: Bool
  init(isSlow: Bool) { self.isSlow = isSlow }

  func write(_ slices: [GuestSlice], from offset: Int) -> Int { isSlow ? 0 : slices.byteCount - offset }
  func read(into slices: [GuestSlice]) -> Int { 0 }
  func release(_ slice: GuestSlice) {}
  func statisticsCame() {}
  func isReady(_ resume: @escaping () -> Void) -> Bool { !isSlow }
  func fill(_ slice: GuestSlice) -> Int { slice.count }
  func flush() -> Bool { true }
  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress { isSlow ? .later : .ended(.ok) }
  func submit(queue: Int) {}
  func takeEnded(queue: Int) -> BlockRequest? { nil }
  func settle() {}
  func forget() {}
  func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 { 0 }
  func disconnected() {}
  func save(to fields: inout FieldWriter) {}
  func restore(from fields: inout FieldReader) {}
  let offloads: NetworkOffloads = [.checksum, .tcp4]
  func setReceiveOffloads(_ offloads: NetworkOffloads) {}
  func setActivePairs(_ count: Int) { precondition((1...2).contains(count)) }
  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer { .blocked }
  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {}
  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer {
    isSlow ? .blocked : .moved(slices.byteCount)
  }
  func send(_ message: InterruptMessage) {}
  func raise() {}
  func withDevice(_ body: () -> Void) { body() }
  func started() {}
  func stopped() {}
  func notified(queue: UInt32) {}
}

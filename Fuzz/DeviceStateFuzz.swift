import Devices
import GuestMemory
import PCI
import State
import Virtio

/// A device in a state whose checks hold and whose contents are anything: a good one, changed as the input says, three bytes a
/// change (section, place, value). It is refused, or the device goes on and can be reset: no trap, and no byte outside RAM.
@c(LLVMFuzzerTestOneInput)
public func fuzzDeviceState(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  let input = unsafe [UInt8](UnsafeBufferPointer(start: data, count: size).prefix(600))
  guard let kind = input.first else { return 0 }
  let memory = clearedMemory()
  let isOnBus = kind & 8 != 0
  let before = machine(kind, memory, isOnBus: isOnBus)
  if let mmio = before.transport as? MMIOTransport { start(mmio, kind) }
  var writer = StateWriter()
  guard (try? before.transport.save(to: &writer, place: 0)) != nil else { return 0 }
  guard var sections = try? StateReader(writer.finish()).contents else { fatalError("what is written is not read") }
  var place = 1
  while place + 3 <= input.count {
    let index = Int(input[place]) % sections.count
    let count = sections[index].payload.count
    if count > 0 {
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
    var again = StateWriter()
    try after.transport.save(to: &again, place: 0)
    after.transport.wake()
    for _ in 0..<4 {
      for queue in after.transport.queues {
        do throws(QueueFault) { try after.transport.device.process(queue) } catch { after.transport.needsReset() }
      }
    }
  } catch {}
  after.transport.device.reset()
  return 0
}

private func machine(_ kind: UInt8, _ memory: GuestMemory, isOnBus: Bool) -> (transport: Transport, host: Host) {
  let host = Host()
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

/// By the registers of Virtio 1.2, table 4.1.
private func start(_ mmio: MMIOTransport, _ kind: UInt8) {
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
    write(8, 0x38)
    let base = 0x1000 * UInt32(queue + 1)
    for (index, register) in ([0x80, 0x90, 0xa0] as [UInt64]).enumerated() {
      write(base + 0x400 * UInt32(index), register)
    }
    write(1, 0x44)
  }
  if kind & 0x40 == 0 { write(15, 0x70) }
}

/// A host that has nothing and takes everything.
private final class Host: ConsoleBackend, BalloonBackend, EntropySource, PersistentMemoryBackend, BlockBackend,
  NetworkBackend, FileSystemBackend,
  MessageSink, InterruptLine, TransportOwner
{
  func write(_ slices: [GuestSlice], from offset: Int) -> Int { slices.byteCount - offset }
  func read(into slices: [GuestSlice]) -> Int { 0 }
  func release(_ slice: GuestSlice) {}
  func statisticsCame() {}
  func isReady(_ resume: @escaping () -> Void) -> Bool { true }
  func fill(_ slice: GuestSlice) -> Int { slice.count }
  func flush() -> Bool { true }
  func begin(_ request: BlockRequest, isAlone: Bool) -> BlockProgress { .ended(.ok) }
  func submit(queue: Int) {}
  func takeEnded(queue: Int) -> BlockRequest? { nil }
  func settle() {}
  func forget() {}
  func serve(readable: [GuestSlice], writable: [GuestSlice]) -> UInt32 { 0 }
  func disconnected() {}
  let isIdle = true
  let offloads: NetworkOffloads = [.checksum, .tcp4]
  func setReceiveOffloads(_ offloads: NetworkOffloads) {}
  func setActivePairs(_ count: Int) { precondition((1...2).contains(count)) }
  func receive(pair: Int, into slices: [GuestSlice]) -> NetworkTransfer { .blocked }
  func copyReceived(pair: Int, from offset: Int, into slices: [GuestSlice]) {}
  func send(pair: Int, _ slices: [GuestSlice]) -> NetworkTransfer { .moved(slices.byteCount) }
  func send(_ message: InterruptMessage) {}
  func raise() {}
  func withDevice(_ body: () -> Void) { body() }
  func started() {}
  func stopped() {}
  func notified(queue: UInt32) {}
}

import GuestMemory
import LittleEndian
import Testing
import VirtioTesting

@testable import Devices
@testable import Virtio

/// The virtio devices that there are.
enum DeviceKind: CaseIterable {
  case network
  case block
  case console
  case entropy
  case balloon
  case persistentMemory
  case vsock
  case fileSystem

  fileprivate func specimen(_ memory: GuestMemory) -> Specimen {
    switch self {
    case .network: network()
    case .block: block()
    case .console: console()
    case .entropy: entropy()
    case .balloon: balloon(memory)
    case .persistentMemory: persistentMemory()
    case .vsock: vsock()
    case .fileSystem: fileSystem()
    }
  }
}

/// A device with a host's end, and what is to be known of them for tests of all.
struct Specimen {
  let device: any VirtioDevice
  /// Bytes of the configuration that a driver may change.
  var writable: Range<Int> = 0..<0
  /// A request: its queue, what it sends, how much it has room for, and how much of that is written.
  let request: (queue: Int, send: () -> [UInt8], room: Int, written: Int)
  /// Requests that have reached the host.
  let served: () -> Int
  /// The host takes its time from now on, or no longer.
  var holdsBack: (Bool) -> Void = { _ in }
  /// The host begins nothing from now on, or does again.
  var putsOff: (Bool) -> Void = { _ in }
  /// The host has news, and ends what it had held back.
  var hostActs: () -> Void = {}
}

/// A device under a transport, and a driver of it.
final class Bench {
  static let memorySize: UInt64 = 1 << 20
  private static let ringSpace: UInt64 = 0x8000
  /// Behind all rings.
  private static let buffers: GuestAddress = 0x8_0000

  let memory: GuestMemory
  let specimen: Specimen
  let owner = ServingOwner()
  let driver: any TransportDriver
  private(set) var rings: [DriverQueue] = []
  private var next = Bench.buffers

  init(_ kind: DeviceKind, _ transport: TransportKind) {
    memory = FakeGuestMemory(size: Int(Self.memorySize))
    specimen = kind.specimen(memory)
    driver = transport.driver(specimen.device, memory, owner)
    owner.transport = driver.transport
    makeRings(offered)
  }

  /// Another device in the place of one whose machine has ended: with the same driver and memory, in no state yet.
  init(_ kind: DeviceKind, _ transport: TransportKind, after old: Bench) {
    memory = old.memory
    specimen = kind.specimen(memory)
    driver = transport.driver(specimen.device, memory, owner)
    owner.transport = driver.transport
    rings = old.rings
    next = old.next
  }

  var offered: Features { specimen.device.features.union(.common) }

  private func makeRings(_ features: Features) {
    let end = Self.ringSpace * UInt64(specimen.device.queueSizes.count)
    for place in Array(stride(from: 0, to: end, by: 4096)) + [Self.buffers] {
      try! memory.write([UInt8](repeating: 0, count: 4096), at: place)
    }
    next = Self.buffers
    rings = specimen.device.queueSizes.enumerated().map { index, size in
      DriverQueue(memory, size: size, base: Self.ringSpace * UInt64(index), features: features, index: index)
    }
  }

  /// All but DRIVER_OK.
  func setUp(_ features: Features? = nil) {
    driver.negotiate(features ?? offered)
    makeRings(features ?? offered)
    for (index, ring) in rings.enumerated() {
      driver.setUp(queue: UInt32(index), size: UInt32(ring.size), layout: ring.layout)
    }
  }

  /// Resets the device and starts it: with these features, or all that there are.
  func start(_ features: Features? = nil) {
    setUp(features)
    driver.writeStatus(15)
  }

  /// Puts back what a driver of the bus can take from its device's function: messages and their table.
  func repair() {
    guard let function = driver as? PCIDriver else { return }
    function.pci.writeConfiguration(6, at: 4, width: 2)
    function.enableMessages()
  }

  /// Notifies queues that there are, that there are not, and that there cannot be.
  func notifyAll() {
    for queue in rings.indices { driver.notify(queue: UInt32(queue)) }
    for queue in [rings.count, rings.count + 1, 0xff, 0x3ff] {
      switch driver {
      case let mmio as MMIODriver:
        mmio.notify(queue: UInt32(queue))
        mmio.notify(queue: UInt32(queue) << 16)
        mmio.notify(queue: .max)
      case let pci as PCIDriver:
        let place = PCITransport.notifyOffset(queue: queue)
        for width in [1, 2, 4, 8] { pci.pci.write(UInt64(queue), region: 0, at: place, width: width) }
      default: Issue.record("a transport without such a way")
      }
    }
    owner.serve()
  }

  func offer() throws {
    let request = specimen.request
    let bytes = request.send()
    let answer = next + UInt64(bytes.count)
    try memory.write(bytes, at: next)
    var buffers: [DriverBuffer] = []
    if !bytes.isEmpty { buffers.append(.readable(next, UInt32(bytes.count))) }
    if request.room > 0 { buffers.append(.writable(answer, UInt32(request.room))) }
    rings[request.queue].offer(buffers)
    next = answer + UInt64(request.room)
  }

  /// A request is answered as it should.
  func expectService(_ here: SourceLocation = #_sourceLocation) throws {
    let request = specimen.request
    let before = specimen.served()
    let interrupts = driver.interruptCount
    try offer()
    driver.notify(queue: UInt32(request.queue))
    owner.serve()
    #expect(rings[request.queue].reap()?.written == request.written, sourceLocation: here)
    #expect(specimen.served() == before + 1, sourceLocation: here)
    #expect(driver.interruptCount > interrupts, sourceLocation: here)
    #expect(driver.readStatus() == 15, sourceLocation: here)
  }
}

/// Serves queues when it is told to, as a machine does.
final class ServingOwner: TransportOwner {
  weak var transport: Transport?
  private var isRunning = false
  private var pending: [UInt32] = []

  func withDevice(_ body: () -> Void) { body() }
  func started() { isRunning = true }
  func stopped() { isRunning = false }
  func notified(queue: UInt32) { if !pending.contains(queue) { pending.append(queue) } }

  func serve() {
    // A queue that always asks for more is not the test's end.
    for _ in 0..<1000 where !pending.isEmpty {
      let queue = pending.removeFirst()
      guard let transport, isRunning, let index = Int(exactly: queue), index < transport.queues.count else { continue }
      do throws(QueueFault) {
        try transport.device.process(transport.queues[index])
      } catch {
        transport.needsReset()
      }
    }
  }
}

extension DeviceKind {
  private func network() -> Specimen {
    let link = FakeLink()
    let device = NetworkDevice(address: NetworkDriver.address, mtu: 1500, pairs: 2, queueSize: 16, backend: link)
    return Specimen(
      device: device, request: (1, { NetworkDriver.frame(100) }, 0, 0), served: { link.outgoing[0]?.count ?? 0 },
      holdsBack: { link.room = $0 ? 0 : .max },
      hostActs: {
        for pair in 0..<2 {
          link.incoming[pair] = [NetworkDriver.frame(200)]
          device.readable(pair: pair)
          device.writable(pair: pair)
        }
      })
  }

  private func block() -> Specimen {
    let disk = FakeDisk(BlockDriver.size)
    let device = BlockDevice(size: UInt64(BlockDriver.size), queueCount: 2, queueSize: 16, backend: disk)
    // The cache's mode (5.2.4).
    return Specimen(
      device: device, writable: 32..<33, request: (0, { BlockDriver.header(0, 3) }, 513, 513),
      served: { disk.operations.count },
      holdsBack: { disk.manner = $0 ? .later : .atOnce },
      putsOff: { disk.manner = $0 ? .notYet : .atOnce },
      hostActs: {
        guard !disk.operations.isEmpty || !disk.underWay.isEmpty else { return }
        while !disk.underWay.isEmpty { disk.end(0) }
        for queue in 0..<2 { device.wake(queue: queue) }
      })
  }

  private func console() -> Specimen {
    let host = FakeConsole()
    let line = Array("a line".utf8)
    var lines = 0
    let device = ConsoleDevice(columns: 80, rows: 25, backend: host)
    return Specimen(
      device: device, request: (1, { line }, 0, 0),
      served: {
        lines += host.output == line ? 1 : 0
        host.output = []
        return lines
      },
      holdsBack: { host.room = $0 ? 2 : .max },
      hostActs: {
        host.input = [1, 2, 3]
        device.inputReady()
        device.outputReady()
        host.input = []
        host.output = []
      })
  }

  private func entropy() -> Specimen {
    let source = CountingBytes()
    let device = EntropyDevice(source: source)
    return Specimen(
      device: device, request: (0, { [] }, 16, 16), served: { source.calls },
      holdsBack: { source.isReady = !$0 },
      hostActs: {
        source.resume?()
        source.resume = nil
      })
  }

  private func balloon(_ memory: GuestMemory) -> Specimen {
    let host = ReleasedPages()
    let device = BalloonDevice(memory: memory, backend: host)
    // What the driver has given (5.5.4).
    return Specimen(
      device: device, writable: 4..<8, request: (0, { littleEndian(UInt32(0xf0)) }, 0, 0), served: { host.count },
      hostActs: { _ = device.askForStatistics() })
  }

  private func persistentMemory() -> Specimen {
    let host = Flushes()
    let device = PersistentMemoryDevice(0x1_4000_0000..<0x1_4060_0000, backend: host)
    return Specimen(device: device, request: (0, { littleEndian(UInt32(0)) }, 4, 4), served: { host.count })
  }

  private func vsock() -> Specimen {
    let host = FakeVsockBackend()
    let device = VsockDevice(guestCID: VsockDriver.guestCID)
    device.backend = host
    var header = VsockHeader()
    header.sourceCID = VsockDriver.guestCID
    header.destinationCID = VsockDevice.hostCID
    header.destinationPort = 5000
    header.operation = VsockHeader.Operation.request
    header.bufferAllocation = 1 << 16
    return Specimen(
      device: device,
      request: (
        1,
        {
          header.sourcePort += 1
          return header.bytes
        }, 0, 0
      ),
      served: { host.ports.count },
      hostActs: {
        for endpoint in host.endpoints where endpoint.closed == 0 {
          endpoint.input = [1, 2, 3]
          if let stream = endpoint.stream { device.readable(stream) }
        }
        _ = device.connect(toGuestPort: 7, FakeEndpoint())
      })
  }

  private func fileSystem() -> Specimen {
    let server = Reverser()
    let device = FileSystemDevice(tag: Array("root".utf8), requestQueues: 2, backend: server)
    return Specimen(device: device, request: (1, { [1, 2, 3] }, 8, 3), served: { server.requests })
  }
}

private final class ReleasedPages: BalloonBackend {
  var count = 0
  func release(_ slice: GuestSlice) { count += 1 }
  func statisticsCame() {}
}

private final class Flushes: PersistentMemoryBackend {
  var count = 0
  func flush() -> Bool {
    count += 1
    return true
  }
}

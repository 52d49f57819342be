import Devices
import GuestMemory
import Virtio

/// A hostile driver of a console, of entropy, a balloon or persistent memory, before hosts that do less than they are asked
/// for, by turns as the input says: no trap, and the host is asked for nothing that is not the guest's.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSmallDevices(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let session = Session(Array(UnsafeBufferPointer(start: data, count: size).prefix(2048)))
  session.run()
  session.forget()
  return 0
}

private let queueSize: UInt16 = 8

private final class Session: HostileDriver {
  private let device: any VirtioDevice
  private var console: ConsoleDevice? { device as? ConsoleDevice }
  private var balloon: BalloonDevice? { device as? BalloonDevice }
  private let host: Host
  private let memory: GuestMemory
  private var queues: [DriverSide] = []
  var input: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    memory = clearedMemory()
    input = bytes[...]
    host = Host()
    switch (input.popFirst() ?? 0) % 4 {
    case 0: device = ConsoleDevice(columns: 80, rows: 25, backend: host)
    case 1: device = BalloonDevice(memory: memory, backend: host)
    case 2: device = EntropyDevice(source: host)
    default: device = PersistentMemoryDevice(0x1_0000_0000..<0x1_0020_0000, backend: host)
    }
    for index in device.queueSizes.indices {
      queues.append(DriverSide(memory, base: UInt64(index) * 0x400, index: index, size: queueSize))
    }
    start()
  }

  func forget() {
    device.reset()
    host.forget()
    for queue in queues { queue.forget() }
  }

  private func start() {
    let features = Features(rawValue: device.features.rawValue & ~UInt64(next()))
    device.start(queues.map { $0.restart(interrupt: self) }, features: features.union(.common))
  }

  func restart() {
    device.reset()
    host.forget()
    start()
  }

  func check() {}

  func step() throws(QueueFault) {
    let side = queues[next() % queues.count]
    switch next() % 8 {
    case 0, 1:
      side.offer(address: place(), length: UInt32(next() << (next() % 20)), isWritable: next() & 1 == 1)
      try device.process(side.queue)
    case 2:
      guard side.hasPairOfRoom else { return try device.process(side.queue) }
      side.offerChain(readable: (place(), UInt32(next())), writable: (place(), UInt32(next())))
      try device.process(side.queue)
    case 3:
      host.manner = next()
      if host.manner & 1 == 1 { host.meanwhile = { [unowned self] in poke() } }
      try device.process(side.queue)
      host.meanwhile = nil
    case 4:
      console?.inputReady()
      console?.outputReady()
      _ = balloon?.askForStatistics()
      host.resume?()
    case 5:
      device.writeConfiguration(UInt32(next()), at: next() % 16, width: [1, 2, 4][next() % 3])
      balloon?.target = UInt64(next()) << 12
      console?.resize(columns: UInt16(next()), rows: UInt16(next()))
      precondition(device.configuration.count <= 16)
    case 6:
      // Numbers of pages, statistics, the kind of a request.
      try! memory.write((0..<next() % 40).map { _ in UInt8(next()) }, at: 0x1_0000)
    default:
      poke()
      try device.process(side.queue)
    }
  }

  private func place() -> UInt64 { 0x1_0000 + UInt64(next()) << (next() % 12) }

  /// Writes into the rings.
  private func poke() {
    try! memory.write([UInt8(next()), UInt8(next())], at: UInt64(next()) << 4 | UInt64(next() & 0xf))
  }
}

private final class Host: ConsoleBackend, BalloonBackend, EntropySource, PersistentMemoryBackend {
  var manner = 0
  /// What waits for entropy.
  var resume: (() -> Void)?
  /// Runs while the device waits for the host.
  var meanwhile: (() -> Void)?
  /// Bytes taken of a chain of which some were left.
  private var taken = 0

  func forget() {
    taken = 0
    resume = nil
  }

  func write(_ slices: [GuestSlice], from offset: Int) -> Int {
    check(slices)
    precondition(offset == taken, "output is lost, or taken twice")
    let rest = slices.reduce(0) { $0 + $1.count } - offset
    let count = min(rest, manner & 2 == 0 ? rest : manner)
    taken = count < rest ? offset + count : 0
    return count
  }

  func read(into slices: [GuestSlice]) -> Int {
    check(slices)
    return min(manner, slices.reduce(0) { $0 + $1.count })
  }

  func release(_ slice: GuestSlice) { check([slice]) }

  func statisticsCame() {}

  func isReady(_ resume: @escaping () -> Void) -> Bool {
    if manner & 4 == 4 { self.resume = resume }
    return manner & 4 == 0
  }

  func fill(_ slice: GuestSlice) -> Int {
    check([slice])
    precondition(slice.count <= EntropyDevice.fillLimit)
    slice.fill(0xaa)
    return manner & 2 == 0 ? slice.count : min(manner, slice.count)
  }

  func flush() -> Bool {
    meanwhile?()
    return manner & 2 == 0
  }

  private func check(_ slices: [GuestSlice]) {
    for slice in slices where slice.count > 0 {
      let bytes = slice.hostBytes
      precondition(
        bytes.baseAddress! >= ram.baseAddress! && bytes.baseAddress! + bytes.count <= ram.baseAddress! + ram.count)
    }
  }
}

import Devices
import GuestMemory
import Virtio

/// A hostile guest and fickle host ends, by turns as the input says: no trap, no growth beyond the limits, and of what the
/// two sides send each other, each gets a part from the start on, in order.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVsock(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let session = Session(Array(UnsafeBufferPointer(start: data, count: size).prefix(4096)))
  session.run()
  session.finish()
  return 0
}

private struct Ports: Hashable {
  let host: UInt32
  let guest: UInt32
}

private final class Session: VsockBackend, HostileDriver {
  let device = VsockDevice(guestCID: 3)
  let memory: GuestMemory
  let receive: DriverSide
  let transmit: DriverSide
  var endpoints: [Endpoint] = []
  /// Bytes that each side has sent or got on the streams that are there now.
  var guestSent: [Ports: Int] = [:]
  var guestGot: [Ports: Int] = [:]
  var isTainted = false
  var input: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) {
    memory = clearedMemory()
    input = bytes[...]
    receive = DriverSide(memory, base: 0, index: 0, size: 16)
    transmit = DriverSide(memory, base: 0x2000, index: 1, size: 16)
    device.backend = self
    start()
  }

  func start() {
    let queues = [receive, transmit].map { side in
      side.restart(interrupt: self)
    }
    device.start(queues, features: .common)
  }

  func connect(_ stream: VsockStream, port: UInt32) -> (any VsockEndpoint)? {
    if port == 3 { return nil }
    let ports = Ports(host: stream.hostPort, guest: stream.guestPort)
    guestSent[ports] = 0
    guestGot[ports] = 0
    let endpoint = Endpoint(self)
    endpoint.stream = stream
    endpoints.append(endpoint)
    return endpoint
  }

  func restart() {
    device.reset()
    start()
  }

  func check() {
    precondition(device.streamCount <= VsockDevice.maximumStreams)
    take()
  }

  /// The machine ends: whatever lingers for its host goes when that hangs up, and nothing is left.
  func finish() {
    device.reset()
    for endpoint in endpoints where endpoint.closed == 0 {
      if let stream = endpoint.stream { device.hungUp(stream) }
    }
    precondition(device.streamCount == 0, "a stream is left over")
    precondition(endpoints.allSatisfy { $0.closed == 1 }, "an endpoint is left open")
    for endpoint in endpoints { endpoint.stream = nil }
    // Breaks the cycles of references.
    endpoints = []
    device.backend = nil
    receive.forget()
    transmit.forget()
  }

  func step() throws(QueueFault) {
    switch next() % 10 {
    case 0, 1, 2: try sendPacket()
    case 3:
      for _ in 0..<(next() % 8) where receive.hasRoom {
        let length = UInt32(44 + next() * 4)
        receive.offer(address: 0x2_0000 + 0x1000 * receive.slot, length: length, isWritable: true)
      }
      try device.process(receive.queue)
    case 4:
      withEndpoint {
        $0.supply += next() * 64
        device.readable($1)
      }
    case 5:
      withEndpoint {
        $0.room += next() * 256
        device.writable($1)
      }
    case 6:
      withEndpoint {
        $0.ends = true
        device.readable($1)
      }
    case 7:
      withEndpoint {
        $0.fails = $0.fails || next() & 1 == 0
        device.hungUp($1)
      }
    case 8:
      let endpoint = Endpoint(self)
      if let stream = device.connect(toGuestPort: UInt32(next() % 4), endpoint), endpoint.closed == 0 {
        endpoint.stream = stream
        endpoints.append(endpoint)
        guestSent[Ports(host: stream.hostPort, guest: stream.guestPort)] = 0
        guestGot[Ports(host: stream.hostPort, guest: stream.guestPort)] = 0
      }
    default:
      // Anything anywhere in the rings: after that, nothing is certain but that the device stands.
      isTainted = true
      let place = UInt64(next()) << 6 | UInt64(next() & 0x3f)
      try! memory.write([UInt8(next()), UInt8(next())], at: place)
      try device.process(transmit.queue)
    }
  }

  func withEndpoint(_ body: (Endpoint, VsockStream) -> Void) {
    endpoints.removeAll { $0.closed > 0 }
    guard !endpoints.isEmpty else { return }
    let endpoint = endpoints[next() % endpoints.count]
    if let stream = endpoint.stream { body(endpoint, stream) }
  }

  func sendPacket() throws(QueueFault) {
    let kind = next()
    let host: UInt32
    if kind & 1 == 0, !endpoints.isEmpty {
      host = endpoints[next() % endpoints.count].stream?.hostPort ?? 0
    } else {
      host = UInt32(next() % 4)
    }
    let ports = Ports(host: host, guest: UInt32(next() % 4))
    let operation = next() % 9
    let length = operation == 5 ? next() * 64 : 0
    let flags = next() & 3
    let allocation = next() << 10
    let forwarded = next() & 1 == 0 ? guestGot[ports, default: 0] : next() << (next() % 32)
    var bytes: [UInt8] = []
    func put(_ value: UInt64, _ count: Int) {
      for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
    }
    put(3, 8)
    let isAstray = kind & 2 == 2 && next() == 0
    put(isAstray ? 9 : 2, 8)
    put(UInt64(ports.guest), 4)
    put(UInt64(ports.host), 4)
    put(UInt64(kind & 4 == 4 && next() == 0 ? length + 1 : length), 4)
    put(1, 2)
    put(UInt64(operation), 2)
    put(UInt64(flags), 4)
    put(UInt64(allocation), 4)
    put(UInt64(truncatingIfNeeded: forwarded), 4)
    guard transmit.hasRoom else { return try device.process(transmit.queue) }
    let start = guestSent[ports, default: 0]
    for index in 0..<length { bytes.append(pattern(start + index)) }
    if !isAstray { guestSent[ports] = start + length }
    let address: UInt64 = 0x4_0000 + 0x4000 * transmit.slot
    try! memory.write(bytes, at: address)
    transmit.offer(address: address, length: UInt32(bytes.count), isWritable: false)
    try device.process(transmit.queue)
  }

  /// Looks at what the guest was sent.
  func take() {
    while let (address, written) = receive.reap() {
      guard !isTainted, written >= 44, let slice = try? memory.slice(at: address, count: written) else { continue }
      let operation: UInt16 = try! slice.load(at: 30)
      let length: UInt32 = try! slice.load(at: 24)
      let host: UInt32 = try! slice.load(at: 16)
      let guest: UInt32 = try! slice.load(at: 20)
      precondition((1...7).contains(operation) && Int(length) == written - 44)
      precondition(try! slice.load(UInt64.self, at: 0) == 2 && slice.load(UInt64.self, at: 8) == 3)
      let ports = Ports(host: host, guest: guest)
      let start = guestGot[ports, default: 0]
      for index in 0..<Int(length) {
        let byte: UInt8 = try! slice.load(at: 44 + index)
        precondition(byte == pattern(start + index), "data to the guest is out of order")
      }
      guestGot[ports] = start + Int(length)
    }
  }
}

private func pattern(_ index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index % 251) }

private final class Endpoint: VsockEndpoint {
  var stream: VsockStream?
  var supply = 0
  var room = 0
  var ends = false
  var fails = false
  var closed = 0
  private var given = 0
  private var got = 0
  private let session: Session

  init(_ session: Session) { self.session = session }

  func opened(hostPort: UInt32) {}

  func read(into slices: [GuestSlice]) -> VsockTransfer {
    precondition(closed == 0)
    if supply == 0 { return fails ? .failed : ends ? .ended : .blocked }
    let count = slices.copy(from: (0..<min(supply, 300)).map { pattern(given + $0) })
    given += count
    supply -= count
    return .moved(count)
  }

  func write(_ slices: [GuestSlice]) -> VsockTransfer { take(slices.flatMap { $0.bytes() }) }

  func write(_ bytes: Span<UInt8>) -> VsockTransfer {
    precondition(bytes.count <= 256 << 10, "more is held than was granted")
    var copy: [UInt8] = []
    for index in bytes.indices { copy.append(bytes[index]) }
    return take(copy)
  }

  func endOutput() {}
  func endInput() {}

  func close() {
    closed += 1
    precondition(closed == 1, "closed twice")
  }

  private func take(_ bytes: [UInt8]) -> VsockTransfer {
    precondition(closed == 0)
    if fails { return .failed }
    let count = min(room, bytes.count)
    if count == 0 { return .blocked }
    for byte in bytes.prefix(count) {
      precondition(session.isTainted || byte == pattern(got), "data to the host is out of order")
      got += 1
    }
    room -= count
    return .moved(count)
  }
}

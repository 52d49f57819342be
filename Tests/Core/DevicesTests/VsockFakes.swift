import GuestMemory
import Virtio
import VirtioTesting

@testable import Devices

/// A host's end in memory.
final class FakeEndpoint: VsockEndpoint {
  var stream: VsockStream?
  /// What the host sends; read from the front.
  var input: [UInt8] = []
  var inputEnds = false
  /// What the guest sent.
  var output: [UInt8] = []
  /// Bytes that the host still takes before it blocks.
  var room = Int.max
  /// The most bytes in one transfer.
  var step = Int.max
  var fails = false

  var openedAs: UInt32?
  var outputEnded = false
  var inputStopped = false
  var closed = 0

  func opened(hostPort: UInt32) { openedAs = hostPort }

  func read(into slices: [GuestSlice]) -> VsockTransfer {
    if fails { return .failed }
    if input.isEmpty { return inputEnds ? .ended : .blocked }
    let count = slices.copy(from: Array(input.prefix(step)))
    input.removeFirst(count)
    return .moved(count)
  }

  func write(_ slices: [GuestSlice]) -> VsockTransfer { take(slices.flatMap { $0.bytes() }) }

  func write(_ bytes: Span<UInt8>) -> VsockTransfer {
    var copy: [UInt8] = []
    for index in bytes.indices { copy.append(bytes[index]) }
    return take(copy)
  }

  func endOutput() { outputEnded = true }
  func endInput() { inputStopped = true }
  func close() { closed += 1 }

  private func take(_ bytes: [UInt8]) -> VsockTransfer {
    if fails { return .failed }
    let count = min(bytes.count, room, step)
    if count == 0 { return .blocked }
    output += bytes[..<count]
    if room != .max { room -= count }
    return .moved(count)
  }
}

final class FakeVsockBackend: VsockBackend {
  var refuses = false
  var endpoints: [FakeEndpoint] = []
  var ports: [UInt32] = []

  func connect(_ stream: VsockStream, port: UInt32) -> (any VsockEndpoint)? {
    ports.append(port)
    if refuses { return nil }
    let endpoint = FakeEndpoint()
    endpoint.stream = stream
    endpoints.append(endpoint)
    return endpoint
  }
}

/// A packet as the driver sees it.
struct VsockPacket: Equatable {
  var header: VsockHeader
  var payload: [UInt8]

  var operation: UInt16 { header.operation }
}

/// The driver's side of a vsock device: both queues, with buffers in fake memory.
final class VsockDriver {
  static let guestCID: UInt64 = 3
  static let bufferSize = VsockHeader.size + 4096

  let device: VsockDevice
  let backend = FakeVsockBackend()
  let memory = FakeGuestMemory(size: 4 << 20)
  let receive: DriverQueue
  let transmit: DriverQueue
  /// `buf_alloc` and `fwd_cnt` of the packets to come.
  var allocation: UInt32 = 256 << 10
  var forwarded: UInt32 = 0
  /// Put each of the driver's packets into so many pieces.
  var pieces = 2

  private var free: [GuestAddress]
  private var used: [UInt16: GuestAddress] = [:]

  init(buffers: Int = 64) {
    device = VsockDevice(guestCID: Self.guestCID)
    device.backend = backend
    receive = DriverQueue(memory, size: 128, base: 0x1000, index: 0)
    transmit = DriverQueue(memory, size: 128, base: 0x10000, index: 1)
    let event = DriverQueue(memory, size: 16, base: 0x20000, index: 2)
    free = (0..<128).map { 0x10_0000 + 8192 * GuestAddress($0) }
    device.start([receive.deviceSide, transmit.deviceSide, event.deviceSide], features: .common)
    offerBuffers(buffers)
  }

  /// Makes so many buffers available, without telling the device.
  func offerBuffers(_ count: Int, size: Int = VsockDriver.bufferSize) {
    for _ in 0..<count {
      let address = free.removeLast()
      used[receive.offer([.writable(address, UInt32(size))])] = address
    }
  }

  func header(_ operation: UInt16, host: UInt32, guest: UInt32, length: Int = 0, flags: UInt32 = 0) -> VsockHeader {
    var header = VsockHeader()
    header.sourceCID = Self.guestCID
    header.destinationCID = VsockDevice.hostCID
    header.sourcePort = guest
    header.destinationPort = host
    header.length = UInt32(length)
    header.operation = operation
    header.flags = flags
    header.bufferAllocation = allocation
    header.forwardCount = forwarded
    return header
  }

  func send(
    _ operation: UInt16, host: UInt32, guest: UInt32, _ payload: [UInt8] = [], flags: UInt32 = 0
  ) throws(QueueFault) {
    try send(header(operation, host: host, guest: guest, length: payload.count, flags: flags), payload)
  }

  /// Sends a packet, as it is, and lets the device process it.
  func send(_ header: VsockHeader, _ payload: [UInt8] = []) throws(QueueFault) {
    offer(header, payload)
    try device.process(transmit.deviceSide)
    while transmit.reap() != nil {}
  }

  /// Makes a packet available without telling the device.
  func offer(_ header: VsockHeader, _ payload: [UInt8] = []) {
    let base: GuestAddress = 0x30_0000 + GuestAddress(next) * 0x1_1000 % 0xf_0000
    next += 1
    let bytes = header.bytes + payload
    try! memory.write(bytes, at: base)
    var buffers: [DriverBuffer] = []
    if pieces == 1 || payload.isEmpty {
      buffers = [.readable(base, UInt32(bytes.count))]
    } else {
      // The header apart, or cut in the middle of itself.
      let cut = pieces == 2 ? VsockHeader.size : 13
      buffers = [.readable(base, UInt32(cut)), .readable(base + UInt64(cut), UInt32(bytes.count - cut))]
    }
    transmit.offer(buffers)
  }
  private var next = 0

  /// The device's packets so far; their buffers are offered again.
  func packets(refill: Bool = true) throws(QueueFault) -> [VsockPacket] {
    var result: [VsockPacket] = []
    while let (head, written) = receive.reap() {
      let address = used.removeValue(forKey: head)!
      let bytes = try! memory.read(count: written, at: address)
      let slice = try! memory.slice(at: address, count: written)
      result.append(VsockPacket(header: VsockHeader([slice])!, payload: Array(bytes.dropFirst(VsockHeader.size))))
      free.append(address)
    }
    if refill, !result.isEmpty {
      offerBuffers(result.count)
      try device.process(receive.deviceSide)
      result += try packets(refill: refill)
    }
    return result
  }

  /// Connects from guest to host and takes the answer.
  func connect(host: UInt32 = 5000, guest: UInt32 = 900) throws(QueueFault) -> FakeEndpoint {
    try send(VsockHeader.Operation.request, host: host, guest: guest)
    _ = try packets()
    return backend.endpoints.last!
  }
}

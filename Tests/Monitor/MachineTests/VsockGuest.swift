import Devices
import GuestMemory
import Host
import Virtio
import VirtioTesting

/// A guest in a few lines: takes connections to the ports that it listens on, keeps what it is sent, sends what it is given.
///
/// Belongs to the loop's thread. Written from the specification (Virtio 1.2, 5.10), apart from the device's own code.
final class VsockGuest: QueueNotifier {
  struct Ports: Hashable {
    var host: UInt32
    var guest: UInt32
  }

  final class Connection {
    var received: [UInt8] = []
    var toSend: ArraySlice<UInt8> = []
    /// Shut the sending half down once all is sent.
    var endsWhenSent = false
    var isOpen = false
    var isReset = false
    /// What the host will not do any more: 1 receive, 2 send.
    var hostShutdown: UInt32 = 0

    fileprivate var sent: UInt32 = 0
    fileprivate var hostAllocation: UInt32 = 0
    fileprivate var hostForwarded: UInt32 = 0
    fileprivate var announced = 0
  }

  static let allocation: UInt32 = 256 << 10
  private static let packetSize = 65536

  let device = VsockDevice(guestCID: 3)
  var listens: Set<UInt32> = [1024]
  private(set) var connections: [Ports: Connection] = [:]
  /// Takes nothing, so that the host runs out of credit.
  var isAsleep = false

  private let loop: EventLoop
  private let memory = FakeGuestMemory(size: 8 << 20)
  private let receive: DriverQueue
  private let transmit: DriverQueue
  private var receiveBuffers: [UInt16: GuestAddress] = [:]
  private var transmitBuffers: [UInt16: GuestAddress] = [:]
  private var freeTransmit: [GuestAddress]

  init(_ loop: EventLoop) throws {
    self.loop = loop
    receive = DriverQueue(memory, size: 128, base: 0x1000, index: 0)
    transmit = DriverQueue(memory, size: 128, base: 0x10000, index: 1)
    let event = DriverQueue(memory, size: 16, base: 0x20000, index: 2)
    freeTransmit = (0..<32).map { 0x40_0000 + 0x1_1000 * GuestAddress($0) }
    receive.deviceSide.notifier = self
    transmit.deviceSide.notifier = self
    device.start([receive.deviceSide, transmit.deviceSide, event.deviceSide], features: .common)
    for index in 0..<60 as Range<UInt64> { offerReceiveBuffer(0x10_0000 + 0x2000 * index) }
    try device.process(receive.deviceSide)
  }

  func notified(queue: UInt32) {
    loop.post { [self] in try! device.process(queue == 0 ? receive.deviceSide : transmit.deviceSide) }
  }

  func connect(_ ports: Ports) throws {
    connections[ports] = Connection()
    try send(1, ports)
  }

  /// Lets the guest do what there is to do.
  func step() throws {
    if isAsleep { return }
    var isNew = false
    while let (head, written) = receive.reap() {
      let address = receiveBuffers.removeValue(forKey: head)!
      try take(address, written)
      offerReceiveBuffer(address)
      isNew = true
    }
    if isNew { try device.process(receive.deviceSide) }
    for (ports, connection) in connections where connection.isOpen { try feed(ports, connection) }
  }

  private func feed(_ ports: Ports, _ connection: Connection) throws {
    while !connection.toSend.isEmpty, freeTransmit.count > 4 {
      let credit = connection.hostAllocation &- (connection.sent &- connection.hostForwarded)
      let count = min(Self.packetSize, connection.toSend.count, Int(credit))
      if count == 0 { return }
      try send(5, ports, Array(connection.toSend.prefix(count)))
      connection.toSend = connection.toSend.dropFirst(count)
      connection.sent &+= UInt32(count)
    }
    if connection.toSend.isEmpty, connection.endsWhenSent {
      connection.endsWhenSent = false
      try send(4, ports, flags: 2)
    }
  }

  private func take(_ address: GuestAddress, _ written: Int) throws {
    let ports = Ports(host: try memory.load(at: address + 16), guest: try memory.load(at: address + 20))
    let length: UInt32 = try memory.load(at: address + 24)
    let operation: UInt16 = try memory.load(at: address + 30)
    let flags: UInt32 = try memory.load(at: address + 32)
    if operation == 1 {
      guard listens.contains(ports.guest) else { return try send(3, ports) }
      connections[ports] = Connection()
    }
    guard let connection = connections[ports] else { return }
    connection.hostAllocation = try memory.load(at: address + 36)
    connection.hostForwarded = try memory.load(at: address + 40)
    switch operation {
    case 1:
      connection.isOpen = true
      try send(2, ports)
    case 2: connection.isOpen = true
    case 3:
      connection.isOpen = false
      connection.isReset = true
    case 4:
      connection.hostShutdown |= flags
      if connection.hostShutdown == 3 {
        try send(3, ports)
        connection.isOpen = false
      }
    case 5:
      precondition(Int(length) == written - 44)
      connection.received += try memory.read(count: Int(length), at: address + 44)
      precondition(connection.received.count - connection.announced <= Int(Self.allocation), "credit exceeded")
      if connection.received.count - connection.announced >= Int(Self.allocation / 2) { try send(6, ports) }
    case 7: try send(6, ports)
    default: break
    }
  }

  func send(_ operation: UInt16, _ ports: Ports, _ payload: [UInt8] = [], flags: UInt32 = 0) throws {
    let address = freeTransmit.removeLast()
    let connection = connections[ports]
    try memory.store(3 as UInt64, at: address)
    try memory.store(2 as UInt64, at: address + 8)
    try memory.store(ports.guest, at: address + 16)
    try memory.store(ports.host, at: address + 20)
    try memory.store(UInt32(payload.count), at: address + 24)
    try memory.store(1 as UInt16, at: address + 28)
    try memory.store(operation, at: address + 30)
    try memory.store(flags, at: address + 32)
    try memory.store(Self.allocation, at: address + 36)
    try memory.store(UInt32(truncatingIfNeeded: connection?.received.count ?? 0), at: address + 40)
    connection?.announced = connection?.received.count ?? 0
    try memory.write(payload, at: address + 44)
    var buffers: [DriverBuffer] = [.readable(address, 44)]
    if !payload.isEmpty { buffers.append(.readable(address + 44, UInt32(payload.count))) }
    transmitBuffers[transmit.offer(buffers)] = address
    try device.process(transmit.deviceSide)
    while let (head, _) = transmit.reap() { freeTransmit.append(transmitBuffers.removeValue(forKey: head)!) }
  }

  private func offerReceiveBuffer(_ address: GuestAddress) {
    receiveBuffers[receive.offer([.writable(address, 44), .writable(address + 44, 4096)])] = address
  }
}

import CGuest

/// Gets a card's address from the network and keeps it (RFC 2131), in a process of its own.
///
/// It speaks on a packet socket, since an interface without an address takes no datagrams to its own: headers of IP and
/// UDP are made here. Checksums of what comes in are not looked at: between a host and its guests nobody computes them.
struct DHCPClient: ~Copyable {
  private static let serverPort: UInt16 = 67
  private static let clientPort: UInt16 = 68
  /// How long the first answer may take, in milliseconds; each further try has twice the time.
  private static let firstTimeout: Int64 = 500
  private static let lastTimeout: Int64 = 16_000

  private let interface: UInt32
  private let hardwareAddress: Bytes
  private let hostName: Bytes
  private let resolvers: [IPAddress]
  private let asksOthers: Bool
  private var ready: Descriptor?

  /// - Parameters:
  ///   - resolvers: name servers that the network's come behind.
  ///   - asksOthers: whether the network's are wanted.
  ///   - ready: closed once there is an address.
  init(
    interface: UInt32, hardwareAddress: Bytes, hostName: Bytes, resolvers: [IPAddress], asksOthers: Bool,
    ready: consuming Descriptor
  ) {
    self.interface = interface
    self.hardwareAddress = hardwareAddress
    self.hostName = hostName
    self.resolvers = resolvers
    self.asksOthers = asksOthers
    self.ready = consume ready
  }

  consuming func run() -> Never {
    var lease: DHCPMessage?
    while true {
      do throws(SystemError) {
        if let held = lease {
          Clock.sleep(seconds: held.renewalTime)
          lease = try renew(held)
          if lease == nil { try? Netlink().remove(Self.prefix(held), from: interface) }
        } else if let granted = try acquire() {
          lease = granted
        }
        if let lease { try apply(lease) }
      } catch {
        Log.warning("DHCP: " + error.text)
        Clock.sleep(seconds: 10)
      }
      if lease != nil { ready = nil }
    }
  }

  private func apply(_ lease: DHCPMessage) throws(SystemError) {
    let netlink = try Netlink()
    if let mtu = lease.mtu { try? netlink.setMTU(mtu, of: interface) }
    try netlink.add(Self.prefix(lease), to: interface)
    for route in lease.routes { try? netlink.addRoute(to: route.destination, by: route.gateway, on: interface) }
    if asksOthers, !lease.resolvers.isEmpty { ResolverFile.write(resolvers + lease.resolvers, domain: lease.domain) }
  }

  private static func prefix(_ lease: DHCPMessage) -> IPPrefix { IPPrefix(lease.address, length: lease.prefixLength) }

  /// Asks whoever is there for an address, until somebody grants one; nil if it was refused after all.
  private func acquire() throws(SystemError) -> DHCPMessage? {
    let socket = try open()
    var transaction = Self.transaction()
    var timeout = Self.firstTimeout
    let begin = Clock.milliseconds
    while true {
      let seconds = UInt16(clamping: (Clock.milliseconds - begin) / 1000)
      try send(
        DHCPMessage.bytes(
          DHCPMessage.Kind.discover, transaction: transaction, seconds: seconds, hardwareAddress: hardwareAddress,
          hostName: hostName), on: socket)
      if let offer = try answer([DHCPMessage.Kind.offer], transaction, within: timeout, on: socket) {
        try send(
          DHCPMessage.bytes(
            DHCPMessage.Kind.request, transaction: transaction, seconds: seconds, hardwareAddress: hardwareAddress,
            hostName: hostName, requested: offer.address, server: offer.server), on: socket)
        let kinds = [DHCPMessage.Kind.acknowledge, DHCPMessage.Kind.refuse]
        if let last = try answer(kinds, transaction, within: timeout, on: socket) {
          return last.kind == DHCPMessage.Kind.acknowledge ? last : nil
        }
      }
      timeout = min(2 * timeout, Self.lastTimeout)
      transaction = Self.transaction()
    }
  }

  /// Asks for more time, of any server as in the state REBINDING (RFC 2131, 4.4.5); nil when the address is lost.
  private func renew(_ lease: DHCPMessage) throws(SystemError) -> DHCPMessage? {
    let socket = try open()
    let end = Clock.milliseconds + Int64(lease.leaseTime - lease.renewalTime) * 1000
    let transaction = Self.transaction()
    while Clock.milliseconds < end {
      try send(
        DHCPMessage.bytes(
          DHCPMessage.Kind.request, transaction: transaction, seconds: 0, hardwareAddress: hardwareAddress,
          hostName: hostName, current: lease.address), on: socket)
      let kinds = [DHCPMessage.Kind.acknowledge, DHCPMessage.Kind.refuse]
      if let last = try answer(kinds, transaction, within: Self.lastTimeout, on: socket) {
        return last.kind == DHCPMessage.Kind.acknowledge && last.address == lease.address ? last : nil
      }
    }
    return nil
  }

  // MARK: Packets

  private func open() throws(SystemError) -> Descriptor {
    let socket = Descriptor(owning: try check(CGuest.socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
    try check(cguest_packet_bind(socket.number, Int32(interface)))
    return socket
  }

  private static func transaction() -> Bytes {
    var bytes = Bytes(repeating: 0, count: 4)
    _ = unsafe bytes.withUnsafeMutableBufferPointer { unsafe getrandom($0.baseAddress, $0.count, 0) }
    return bytes
  }

  private func send(_ message: Bytes, on socket: borrowing Descriptor) throws(SystemError) {
    let packet = Self.packet(message)
    let interface = Int32(self.interface)
    try check(
      unsafe packet.withUnsafeBufferPointer {
        unsafe cguest_packet_broadcast(socket.number, interface, $0.baseAddress, $0.count)
      })
  }

  /// The first answer of one of these kinds.
  private func answer(
    _ kinds: Bytes, _ transaction: Bytes, within timeout: Int64, on socket: borrowing Descriptor
  ) throws(SystemError) -> DHCPMessage? {
    let end = Clock.milliseconds + timeout
    while true {
      let left = end - Clock.milliseconds
      var poll = Poll<Void>()
      poll.add(socket.number, readable: true, for: ())
      if left <= 0 { return nil }
      if try poll.wait(milliseconds: left).isEmpty { continue }
      var packet: Bytes = []
      _ = try socket.read(into: &packet)
      guard let payload = Self.payload(packet),
        let message = DHCPMessage(payload, transaction: transaction, hardwareAddress: hardwareAddress)
      else { continue }
      if kinds.contains(message.kind) { return message }
    }
  }

  /// Headers of IP (RFC 791) and UDP (RFC 768), from nobody to everybody, and the message.
  private static func packet(_ message: Bytes) -> Bytes {
    func pair(_ number: Int) -> Bytes { [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)] }
    var header: Bytes = [0x45, 0] + pair(28 + message.count) + [0, 0, 0, 0, 64, 17, 0, 0]
    header += [0, 0, 0, 0, 255, 255, 255, 255]
    var sum: UInt32 = 0
    for index in stride(from: 0, to: header.count, by: 2) {
      sum += UInt32(header[index]) << 8 | UInt32(header[index + 1])
    }
    while sum > 0xffff { sum = (sum & 0xffff) + sum >> 16 }
    let checksum = pair(Int(~sum & 0xffff))
    header[10] = checksum[0]
    header[11] = checksum[1]
    // Without a checksum, as UDP allows.
    header += pair(Int(clientPort)) + pair(Int(serverPort)) + pair(8 + message.count) + [0, 0]
    return header + message
  }

  /// What a datagram from a server's port to a client's holds; nil for any other packet.
  private static func payload(_ packet: Bytes) -> Bytes? {
    guard packet.count >= 28, packet[0] >> 4 == 4, packet[9] == 17 else { return nil }
    let header = 4 * Int(packet[0] & 15)
    guard header >= 20, packet.count >= header + 8, packet[6] & 0x3f == 0, packet[7] == 0 else { return nil }
    func number(_ offset: Int) -> UInt16 { UInt16(packet[header + offset]) << 8 | UInt16(packet[header + offset + 1]) }
    let length = Int(number(4))
    guard number(0) == serverPort, number(2) == clientPort, length >= 8, length <= packet.count - header else {
      return nil
    }
    return Bytes(packet[(header + 8)..<(header + length)])
  }
}

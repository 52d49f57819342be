import CGuest

/// Links, addresses and routes of the kernel: rtnetlink(7).
struct Netlink: ~Copyable {
  private let socket: Descriptor

  init() throws(SystemError) {
    socket = Descriptor(owning: try check(CGuest.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)))  // NETLINK_ROUTE
  }

  /// RTM_NEWLINK: switches an interface on.
  func raise(_ interface: UInt32) throws(SystemError) {
    var message = Message(type: 16)
    // struct ifinfomsg: family, type, index, flags, change
    message.put([0, 0, 0, 0])
    message.put(interface)
    message.put(UInt32(IFF_UP))
    message.put(UInt32(IFF_UP))
    try request(message)
  }

  /// RTM_NEWLINK: the largest packet that an interface sends.
  func setMTU(_ mtu: UInt32, of interface: UInt32) throws(SystemError) {
    var message = Message(type: 16)
    message.put([0, 0, 0, 0])
    message.put(interface)
    message.put(UInt32(0))
    message.put(UInt32(0))
    message.putAttribute(4, mtu)  // IFLA_MTU
    try request(message)
  }

  /// RTM_NEWADDR. One of IPv6's is not asked for on the link first: whoever gave it out knows that it is free.
  func add(_ address: IPPrefix, to interface: UInt32) throws(SystemError) {
    // NLM_F_CREATE | NLM_F_REPLACE
    try request(addressMessage(type: 20, flags: 0x500, address, interface))
  }

  /// RTM_DELADDR
  func remove(_ address: IPPrefix, from interface: UInt32) throws(SystemError) {
    try request(addressMessage(type: 21, flags: 0, address, interface))
  }

  private func addressMessage(type: UInt16, flags: UInt16, _ address: IPPrefix, _ interface: UInt32) -> Message {
    var message = Message(type: type, flags: flags)
    // struct ifaddrmsg: family, prefix length, flags (IFA_F_NODAD), scope, index
    message.put([UInt8(address.address.family), address.length, address.address.family == AF_INET6 ? 2 : 0, 0])
    message.put(interface)
    message.putAttribute(2, address.address.bytes)  // IFA_LOCAL
    message.putAttribute(1, address.address.bytes)  // IFA_ADDRESS
    if let broadcast = address.broadcast { message.putAttribute(4, broadcast) }  // IFA_BROADCAST
    return message
  }

  /// RTM_NEWROUTE: packets to `destination` go by way of `gateway`, which is a neighbour whatever the addresses say; to
  /// the link itself if nil.
  func addRoute(to destination: IPPrefix, by gateway: IPAddress?, on interface: UInt32) throws(SystemError) {
    var message = Message(type: 24, flags: 0x500)
    // struct rtmsg: family, lengths of destination and source, TOS, RT_TABLE_MAIN, RTPROT_BOOT, scope, RTN_UNICAST,
    // flags
    let scope: UInt8 = gateway == nil ? 253 : 0  // RT_SCOPE_LINK
    message.put([UInt8(destination.address.family), destination.length, 0, 0, 254, 3, scope, 1])
    message.put(UInt32(gateway == nil ? 0 : 4))  // RTNH_F_ONLINK
    if destination.length > 0 { message.putAttribute(1, destination.address.bytes) }  // RTA_DST
    message.putAttribute(4, interface)  // RTA_OIF
    if let gateway { message.putAttribute(5, gateway.bytes) }  // RTA_GATEWAY
    try request(message)
  }

  /// Sends a message and waits for the kernel's answer, which is there when the call returns.
  private func request(_ message: Message) throws(SystemError) {
    _ = try socket.write(message.finished())
    var answer: Bytes = []
    _ = try socket.read(into: &answer)
    // NLMSG_ERROR, whose payload begins with the negative error number; 0 is the acknowledgement.
    guard answer.count >= 20, answer[4] == 2, answer[5] == 0 else { throw .ioError }
    var error: UInt32 = 0
    for index in 0..<4 { error |= UInt32(answer[16 + index]) << (8 * UInt32(index)) }
    if error != 0 { throw SystemError(-Int32(bitPattern: error)) }
  }

  /// `struct nlmsghdr` and what follows it, little-endian.
  private struct Message {
    private var bytes: Bytes = [0, 0, 0, 0]

    init(type: UInt16, flags: UInt16 = 0) {
      put(type)
      put(flags | 0x5)  // NLM_F_REQUEST | NLM_F_ACK
      put(UInt32(1))
      put(UInt32(0))
    }

    mutating func put(_ more: Bytes) { bytes += more }

    mutating func put<Number: FixedWidthInteger>(_ number: Number) {
      for index in 0..<(Number.bitWidth / 8) { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * Number(index)))) }
    }

    mutating func putAttribute(_ type: UInt16, _ value: Bytes) {
      put(UInt16(4 + value.count))
      put(type)
      put(value)
      while bytes.count % 4 != 0 { bytes.append(0) }
    }

    mutating func putAttribute(_ type: UInt16, _ value: UInt32) {
      putAttribute(type, (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * UInt32($0))) })
    }

    func finished() -> Bytes {
      var bytes = bytes
      for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: bytes.count >> (8 * index)) }
      return bytes
    }
  }
}

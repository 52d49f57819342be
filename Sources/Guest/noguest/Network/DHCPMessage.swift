/// A message of the dynamic host configuration protocol (RFC 2131, 2; options RFC 2132).
struct DHCPMessage {
  enum Kind {
    static let discover: UInt8 = 1
    static let offer: UInt8 = 2
    static let request: UInt8 = 3
    static let acknowledge: UInt8 = 5
    static let refuse: UInt8 = 6
  }

  private enum Option {
    static let mask: UInt8 = 1
    static let router: UInt8 = 3
    static let resolvers: UInt8 = 6
    static let hostName: UInt8 = 12
    static let domain: UInt8 = 15
    static let mtu: UInt8 = 26
    static let requestedAddress: UInt8 = 50
    static let leaseTime: UInt8 = 51
    static let kind: UInt8 = 53
    static let server: UInt8 = 54
    static let wanted: UInt8 = 55
    static let sizeLimit: UInt8 = 57
    static let renewalTime: UInt8 = 58
    static let client: UInt8 = 61
    static let routes: UInt8 = 121
    static let end: UInt8 = 255
  }

  private static let fixedSize = 240
  private static let cookie: Bytes = [99, 130, 83, 99]

  /// What a client says.
  ///
  /// - Parameters:
  ///   - requested: the address that an offer named.
  ///   - current: the address that is in use, and to be kept.
  static func bytes(
    _ kind: UInt8, transaction: Bytes, seconds: UInt16, hardwareAddress: Bytes, hostName: Bytes,
    requested: IPAddress? = nil, server: IPAddress? = nil, current: IPAddress? = nil
  ) -> Bytes {
    // BOOTREQUEST, Ethernet, length of its addresses, hops.
    var bytes: Bytes = [1, 1, 6, 0] + transaction
    bytes += [UInt8(seconds >> 8), UInt8(truncatingIfNeeded: seconds), 0, 0]
    bytes += current?.bytes ?? [0, 0, 0, 0]
    bytes += Bytes(repeating: 0, count: 12)
    bytes += hardwareAddress
    bytes += Bytes(repeating: 0, count: fixedSize - 4 - bytes.count)
    bytes += cookie
    bytes += [Option.kind, 1, kind, Option.client, 7, 1] + hardwareAddress
    bytes += [Option.sizeLimit, 2, 0x05, 0xdc]
    if let requested { bytes += [Option.requestedAddress, 4] + requested.bytes }
    if let server { bytes += [Option.server, 4] + server.bytes }
    let name = hostName.prefix(63)
    if !name.isEmpty { bytes += [Option.hostName, UInt8(name.count)] + name }
    let wanted = [
      Option.mask, Option.router, Option.resolvers, Option.domain, Option.mtu, Option.leaseTime, Option.renewalTime,
      Option.routes,
    ]
    bytes += [Option.wanted, UInt8(wanted.count)] + wanted + [Option.end]
    // Relays drop what is shorter than BOOTP's messages (RFC 1542, 2.1).
    return bytes + Bytes(repeating: 0, count: max(0, 300 - bytes.count))
  }

  let kind: UInt8
  let address: IPAddress
  let server: IPAddress?
  var prefixLength: UInt8 = 32
  var routes: [(destination: IPPrefix, gateway: IPAddress?)] = []
  var resolvers: [IPAddress] = []
  var domain: Bytes = []
  var mtu: UInt32?
  /// Seconds.
  var leaseTime: UInt32 = 3600
  var renewalTime: UInt32

  /// What a server answers; nil for anything else.
  init?(_ bytes: Bytes, transaction: Bytes, hardwareAddress: Bytes) {
    guard bytes.count > Self.fixedSize, bytes[0] == 2, Bytes(bytes[4..<8]) == transaction,
      Bytes(bytes[28..<34]) == hardwareAddress, Bytes(bytes[236..<240]) == Self.cookie,
      let options = Self.options(bytes), let kind = options[Int(Option.kind)], kind.count == 1
    else { return nil }
    func numbers(_ option: UInt8) -> [IPAddress] {
      let bytes = options[Int(option)] ?? []
      return (0..<(bytes.count / 4)).map { IPAddress(bytes: Bytes(bytes[(4 * $0)..<(4 * $0 + 4)])) }
    }
    func number(_ option: UInt8) -> UInt32? {
      guard let bytes = options[Int(option)], bytes.count == 4 else { return nil }
      return bytes.reduce(0) { $0 << 8 | UInt32($1) }
    }
    self.kind = kind[0]
    address = IPAddress(bytes: Bytes(bytes[16..<20]))
    server = numbers(Option.server).first
    if let mask = number(Option.mask) { prefixLength = UInt8((~mask).leadingZeroBitCount) }
    leaseTime = max(number(Option.leaseTime) ?? leaseTime, 60)
    renewalTime = min(number(Option.renewalTime) ?? leaseTime / 2, leaseTime / 2)
    resolvers = Array(numbers(Option.resolvers).prefix(3))
    if let domain = options[Int(Option.domain)] { self.domain = domain.filter { Self.isNameByte($0) } }
    if let mtu = options[Int(Option.mtu)], mtu.count == 2 {
      let value = UInt32(mtu[0]) << 8 | UInt32(mtu[1])
      if value >= 576 { self.mtu = value }
    }
    // RFC 3442: with these, the router is not heeded.
    if let routes = options[Int(Option.routes)] {
      self.routes = Self.routes(routes)
    } else if let router = numbers(Option.router).first {
      routes = [(IPPrefix(IPAddress(bytes: [0, 0, 0, 0]), length: 0), router)]
    }
  }

  /// Values by their options' numbers; nil where one is cut off. One that is there twice goes on (RFC 3396).
  private static func options(_ bytes: Bytes) -> [Bytes?]? {
    var options = [Bytes?](repeating: nil, count: 256)
    var index = fixedSize
    while index < bytes.count, bytes[index] != Option.end {
      let option = Int(bytes[index])
      index += 1
      if option == 0 { continue }
      guard index < bytes.count, bytes.count - index > Int(bytes[index]) else { return nil }
      let value = bytes[(index + 1)..<(index + 1 + Int(bytes[index]))]
      options[option] = (options[option] ?? []) + value
      index += 1 + value.count
    }
    return options
  }

  /// RFC 3442: each a length, as many bytes of the network as that needs, and the gateway; zero is the link itself.
  private static func routes(_ bytes: Bytes) -> [(destination: IPPrefix, gateway: IPAddress?)] {
    var routes: [(destination: IPPrefix, gateway: IPAddress?)] = []
    var index = 0
    while index < bytes.count, bytes[index] <= 32 {
      let length = bytes[index]
      let significant = (Int(length) + 7) / 8
      guard bytes.count - index > significant + 4 else { break }
      var network = Bytes(bytes[(index + 1)..<(index + 1 + significant)])
      network += Bytes(repeating: 0, count: 4 - significant)
      index += 1 + significant
      let gateway = IPAddress(bytes: Bytes(bytes[index..<(index + 4)]))
      index += 4
      routes.append(
        (IPPrefix(IPAddress(bytes: network), length: length), gateway.bytes == [0, 0, 0, 0] ? nil : gateway))
    }
    return routes
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

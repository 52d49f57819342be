import Glibc

/// A machine's network card, as `novmm --nic` is told it.
package struct NetworkCard: Equatable, Sendable {
  /// Where its frames go.
  package enum Link: Equatable, Sendable {
    /// A tap of the host's, made if it is not there; by a free name if nil. A port of `bridge`.
    case tap(name: String?, bridge: String?)
    /// Inherited queues of a tap.
    case tapQueues([Int32])
    /// An inherited stream of frames, each behind its length (big-endian, 32 bits): what passt(1) and QEMU's
    /// `-netdev stream` speak.
    case stream(Int32)
  }

  package var link: Link
  /// By chance if nil.
  package var address: MACAddress?
  /// The largest packet; what the link has if nil.
  package var mtu: Int?
  /// Addresses of the internet's, version 4 or 6, that alone its guest sends from; any if none.
  package var own: [String] = []
  /// Pairs of queues.
  package var queues = 1
  /// Bytes in a second, in each direction; as many as may be if nil.
  package var rate: Int?
  /// Bytes at once after a pause; what a tenth of a second lets through if nil.
  package var burst: Int?
  /// Whether frames of the guest to a loopback address go on, which the other end of a stream may take for its own host's.
  package var sendsToLoopback = true

  package init(_ link: Link) { self.link = link }

  /// The most cards that a machine can have: each takes an interrupt.
  package static let limit = 8

  /// An address that two of the cards have.
  package static func repeatedAddress(_ cards: [NetworkCard]) -> MACAddress? {
    var seen: Set<MACAddress> = []
    return cards.compactMap { $0.address }.first { !seen.insert($0).inserted }
  }

  /// 68 is IPv4's least (RFC 791), 65535 the most that it can say.
  package static let mtuRange = 68...65535
  package static let queueRange = 1...64
  package static let rateRange = 1024...1 << 34
  package static let burstRange = 1...1 << 30

  /// Reads `KEY=VALUE[,KEY=VALUE]...`: `tap=NAME` or `tap=fd:N[+fd:N]...`, `bridge=`, `stream=fd:N`, `mac=`, `mtu=`,
  /// `queues=`, `rate=`, `burst=`, `own=ADDRESS[+ADDRESS]...`, and `loopback=on` or `off` for a stream.
  package init(_ text: String) throws(NetworkCardFault) {
    var tap: String?
    var bridge: String?
    var stream: String?
    var queues: Int?
    var loopback: String?
    self.init(.tap(name: nil, bridge: nil))
    for (key, value) in try CardWords(text).pairs {
      switch key {
      case "tap": tap = value
      case "bridge": bridge = try Self.interface(value)
      case "stream": stream = value
      case "mac":
        guard let address = MACAddress(value) else { throw .address(value) }
        self.address = address
      case "mtu": mtu = try CardWords.number(value, key, Self.mtuRange)
      case "own":
        own = value.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
        for address in own where Self.bytes(of: address) == nil { throw .ipAddress("own", address) }
      case "rate": rate = try CardWords.size(value, key, Self.rateRange)
      case "burst": burst = try CardWords.size(value, key, Self.burstRange)
      case "loopback":
        guard value == "on" || value == "off" else { throw .loopback(value) }
        loopback = value
      case "queues": queues = try CardWords.number(value, key, Self.queueRange)
      default: throw .unknownKey(key)
      }
    }
    guard burst == nil || rate != nil else { throw .burstWithoutRate }
    guard loopback == nil || stream != nil else { throw .loopbackWithoutStream }
    if let stream {
      guard tap == nil, bridge == nil, queues == nil else { throw .streamWithTap }
      link = .stream(try Self.descriptor(stream))
      sendsToLoopback = loopback != "off"
    } else if let tap, tap.hasPrefix("fd:") {
      guard bridge == nil else { throw .bridgeOfDescriptor }
      var numbers: [Int32] = []
      for part in tap.split(separator: "+", omittingEmptySubsequences: false) {
        numbers.append(try Self.descriptor(String(part)))
      }
      guard Self.queueRange.contains(numbers.count), queues == nil || queues == numbers.count else {
        throw .number("queues", Self.queueRange)
      }
      queues = numbers.count
      link = .tapQueues(numbers)
    } else {
      guard tap != nil || bridge != nil else { throw .noLink }
      link = .tap(name: try tap.map { name throws(NetworkCardFault) in try Self.interface(name) }, bridge: bridge)
    }
    self.queues = queues ?? 1
  }

  /// Those that whoever runs the machine inherits and passes on.
  package var descriptors: [Int32] {
    switch link {
    case .tap: []
    case .tapQueues(let numbers): numbers
    case .stream(let number): [number]
    }
  }

  /// As ``init(_:)`` reads it.
  package var argument: String {
    var words: [String] = []
    switch link {
    case .tap(let name, let bridge):
      if let name { words.append("tap=\(name)") }
      if let bridge { words.append("bridge=\(bridge)") }
    case .tapQueues(let numbers): words.append("tap=" + numbers.map { "fd:\($0)" }.joined(separator: "+"))
    case .stream(let number): words.append("stream=fd:\(number)")
    }
    if let address { words.append("mac=\(address)") }
    if let mtu { words.append("mtu=\(mtu)") }
    if queues > 1, case .tap = link { words.append("queues=\(queues)") }
    if !own.isEmpty { words.append("own=" + own.joined(separator: "+")) }
    if let rate { words.append("rate=\(rate)") }
    if let burst { words.append("burst=\(burst)") }
    if !sendsToLoopback { words.append("loopback=off") }
    return words.joined(separator: ",")
  }

  /// The four or sixteen bytes of an address; nil for what is none.
  package static func bytes(of address: String) -> [UInt8]? {
    for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: size)
      let isAddress = unsafe bytes.withUnsafeMutableBytes { unsafe inet_pton(family, address, $0.baseAddress) == 1 }
      if isAddress { return bytes }
    }
    return nil
  }

  private static func descriptor(_ text: String) throws(NetworkCardFault) -> Int32 {
    guard text.hasPrefix("fd:"), let number = Int32(text.dropFirst(3)), number >= 0 else { throw .descriptor(text) }
    return number
  }

  /// What the kernel takes for a name (dev_valid_name), and it does not take for a pattern.
  private static func interface(_ name: String) throws(NetworkCardFault) -> String {
    let bytes = name.utf8
    let isName =
      (1...15).contains(bytes.count) && name != "." && name != ".."
      && bytes.allSatisfy { $0 > 0x20 && $0 < 0x7f && !"/:%\\".utf8.contains($0) }
    guard isName else { throw .interface(name) }
    return name
  }
}

import Glibc
import Host

/// A port or socket of the host's that leads to one of the guest's.
package struct PublishedPort: Equatable, Sendable {
  package enum Transport: String, Sendable {
    case tcp, udp
  }

  package enum Host: Equatable, Sendable {
    /// - address: of the host's; those of its loopback if nil.
    case port(UInt16, address: String?)
    /// A Unix socket, by its absolute path.
    case socket([UInt8])
  }

  package enum Guest: Equatable, Sendable {
    case port(UInt16)
    /// A Unix socket, by its absolute path.
    case socket([UInt8])
  }

  package var host: Host
  package var guest: Guest
  package var transport = Transport.tcp
  /// Whether the host may have no such address.
  package private(set) var isOptional = false

  /// Reads `[ADDRESS:]PORT:PORT[/tcp|/udp]`, an IPv6 address in brackets, or the same with a path for either port; nil
  /// for anything else. A path of the host begins with `/` or `.`, one of the guest with `/`.
  ///
  /// - Parameter directory: what relative host paths are relative to.
  package init?(_ text: String, directory: [UInt8] = [UInt8(ascii: "/")]) {
    var bytes = ByteString.bytes(text)[...]
    let (colon, slash) = (UInt8(ascii: ":"), UInt8(ascii: "/"))
    if let place = bytes.indices.first(where: {
      bytes[$0] == colon && $0 + 1 < bytes.endIndex && bytes[$0 + 1] == slash
    }) {
      guest = .socket(Array(bytes[(place + 1)...]))
      bytes = bytes[..<place]
    } else {
      guard let place = bytes.lastIndex(of: colon) else { return nil }
      let words = String(decoding: bytes[(place + 1)...], as: UTF8.self)
        .split(separator: "/", omittingEmptySubsequences: false)
      guard let port = Self.port(words[0]), words.count <= 2 else { return nil }
      if words.count == 2 {
        guard let transport = Transport(rawValue: String(words[1])) else { return nil }
        self.transport = transport
      }
      guest = .port(port)
      bytes = bytes[..<place]
    }
    if let first = bytes.first, first == slash || first == UInt8(ascii: ".") {
      // There are streams only between Unix sockets.
      guard transport == .tcp, bytes.last != slash else { return nil }
      host = .socket(first == slash ? Array(bytes) : directory + [slash] + bytes)
    } else {
      guard let host = Self.host(String(decoding: bytes, as: UTF8.self)) else { return nil }
      self.host = host
    }
  }

  private static func host(_ text: String) -> Host? {
    guard let colon = text.lastIndex(of: ":") else { return port(text[...]).map { .port($0, address: nil) } }
    guard let port = port(text[text.index(after: colon)...]) else { return nil }
    var address = String(text[..<colon])
    if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
    return CardRequest.isAddress(address) ? .port(port, address: address) : nil
  }

  /// What it can be read from, wherever that is done.
  var argument: String {
    let host =
      switch self.host {
      case .port(let port, nil): "\(port)"
      case .port(let port, let address?): address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
      case .socket(let path): ByteString.string(path)
      }
    switch guest {
    case .port(let port): return "\(host):\(port)" + (transport == .udp ? "/udp" : "")
    case .socket(let path): return "\(host):\(ByteString.string(path))"
    }
  }

  /// As passt(1) takes it; nil for what it does not do.
  var specification: String? {
    guard case .port(let host, let address) = host, case .port(let guest) = guest else { return nil }
    return (address.map { "\($0)/" } ?? "") + "\(host):\(guest)"
  }

  /// The same for each of the host's addresses that it is on.
  package var listeners: [PublishedPort] {
    guard case .port(let number, nil) = host else { return [self] }
    return Self.loopback.map { address in
      var port = self
      port.host = .port(number, address: address)
      // A host may be without IPv6.
      port.isOptional = address == Self.loopback6
      return port
    }
  }

  private static let loopback6 = "::1"
  private static let hasLoopback6 =
    InternetAddress(loopback6, port: 0).flatMap { try? InternetSocket.listen(.datagram, $0) } != nil
  private static let loopback = ["127.0.0.1", loopback6]

  /// Where it is listened and where that leads, for a person.
  package var announcement: String {
    let places = listeners.filter { !$0.isOptional || Self.hasLoopback6 }.map { port in
      switch port.host {
      case .port(let number, let address?): address.contains(":") ? "[\(address)]:\(number)" : "\(address):\(number)"
      case .port, .socket: port.host.description
      }
    }
    let transport = transport == .udp ? "/udp" : ""
    let words = places.joined(separator: " and ") + transport + (places.count > 1 ? " lead" : " leads")
    switch guest {
    case .port(let number): return "\(words) to the machine's port \(number)"
    case .socket(let path): return "\(words) to the machine's \(String(printable: path))"
    }
  }

  /// Reads what ``init(_:directory:)`` does, or two ranges of ports that are as long as each other, `8000-8003:80-83`: a port
  /// for each. Nil for anything else.
  package static func ports(_ text: String, directory: [UInt8] = [UInt8(ascii: "/")]) -> [PublishedPort]? {
    if let port = PublishedPort(text, directory: directory) { return [port] }
    let (main, transport) = text.firstIndex(of: "/").map { (text[..<$0], text[$0...]) } ?? (text[...], "")
    var parts = main.split(separator: ":", omittingEmptySubsequences: false)
    guard let guest = range(parts.popLast()), let host = range(parts.popLast()), guest.count == host.count else {
      return nil
    }
    let address = parts.isEmpty ? "" : parts.joined(separator: ":") + ":"
    var ports: [PublishedPort] = []
    for (outer, inner) in zip(host, guest) {
      guard let port = PublishedPort("\(address)\(outer):\(inner)\(transport)") else { return nil }
      ports.append(port)
    }
    return ports
  }

  /// The guest's ports that datagrams are led to, each as `PORT`, those in a row as `FIRST-LAST`: there may be thousands.
  static func datagramPorts(of published: [PublishedPort]) -> [String] {
    var ports: Set<Int> = []
    for port in published where port.transport == .udp {
      if case .port(let number) = port.guest { ports.insert(Int(number)) }
    }
    var rows: [ClosedRange<Int>] = []
    for port in ports.sorted() {
      if let last = rows.last, last.upperBound == port - 1 {
        rows[rows.count - 1] = last.lowerBound...port
      } else {
        rows.append(port...port)
      }
    }
    return rows.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
  }

  /// `FIRST-LAST`
  private static func range(_ text: Substring?) -> ClosedRange<UInt16>? {
    let ends = text?.split(separator: "-", omittingEmptySubsequences: false) ?? []
    guard ends.count == 2, let first = port(ends[0]), let last = port(ends[1]), first <= last else { return nil }
    return first...last
  }

  private static func port(_ text: Substring) -> UInt16? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
      return nil
    }
    return port
  }
}

extension PublishedPort.Host: CustomStringConvertible {
  /// For a person.
  package var description: String {
    switch self {
    case .port(let port, nil): "port \(port)"
    case .port(let port, let address?): "port \(port) of \(address)"
    case .socket(let path): String(printable: path)
    }
  }
}

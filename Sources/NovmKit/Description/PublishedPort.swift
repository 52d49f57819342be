/// A port of the host's that leads to one of the guest's, through its user network.
package struct PublishedPort: Equatable, Sendable {
  package enum Transport: String, Sendable {
    case tcp, udp
  }

  /// An address of the host's; all of them if nil.
  package var address: String?
  package var host: UInt16
  package var guest: UInt16
  package var transport = Transport.tcp

  /// Reads `[ADDRESS:]HOST:GUEST[/tcp|/udp]`, an IPv6 address in brackets; nil for anything else.
  package init?(_ text: String) {
    var text = text[...]
    if let slash = text.lastIndex(of: "/") {
      guard let transport = Transport(rawValue: String(text[text.index(after: slash)...])) else { return nil }
      self.transport = transport
      text = text[..<slash]
    }
    guard let last = text.lastIndex(of: ":"), let guest = Self.port(text[text.index(after: last)...]) else {
      return nil
    }
    let front = text[..<last]
    if let colon = front.lastIndex(of: ":"), let host = Self.port(front[front.index(after: colon)...]) {
      var address = String(front[..<colon])
      if address.hasPrefix("["), address.hasSuffix("]") { address = String(address.dropFirst().dropLast()) }
      guard CardRequest.isAddress(address) else { return nil }
      self.address = address
      self.host = host
    } else {
      guard let host = Self.port(front) else { return nil }
      self.host = host
    }
    self.guest = guest
  }

  /// As passt(1) takes it.
  var specification: String { (address.map { "\($0)/" } ?? "") + "\(host):\(guest)" }

  private static func port(_ text: Substring) -> UInt16? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text), port > 0 else {
      return nil
    }
    return port
  }
}

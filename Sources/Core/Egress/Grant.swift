/// Something that a machine may reach, or may not: `TARGET[:PORT][/tcp|/udp]`. TARGET is a name (`example.org`), all names
/// below one (`*.example.org`), an address, or a range of them (`10.0.0.0/8`).
package struct Grant: Hashable, Sendable {
  package enum Target: Hashable, Sendable {
    case name(DomainName)
    case namesBelow(DomainName)
    case addresses(IPv4Address, length: Int)
  }

  package enum Transport: Hashable, Sendable {
    case tcp, udp
  }

  package let target: Target
  /// Any if nil.
  package let port: UInt16?
  package let transport: Transport?

  package init?(_ text: some BidirectionalCollection<UInt8>) {
    var rest = Array(text)
    var transport: Transport?
    for (suffix, kind) in [("/tcp", Transport.tcp), ("/udp", .udp)] where rest.suffix(4).elementsEqual(suffix.utf8) {
      transport = kind
      rest.removeLast(4)
      break
    }
    var port: UInt16?
    if let colon = rest.lastIndex(of: 0x3a) {
      guard let number = Decimal.number(rest[(colon + 1)...], limit: 65535), number > 0 else { return nil }
      port = UInt16(number)
      rest.removeSubrange(colon...)
    }
    if let slash = rest.firstIndex(of: 0x2f) {
      guard let address = IPv4Address(rest[..<slash]), let length = Decimal.number(rest[(slash + 1)...], limit: 32)
      else {
        return nil
      }
      target = .addresses(address, length: length)
    } else if let address = IPv4Address(rest) {
      target = .addresses(address, length: 32)
    } else if rest.starts(with: [0x2a, 0x2e]) {
      guard let name = DomainName(rest.dropFirst(2)) else { return nil }
      target = .namesBelow(name)
    } else {
      // What ends in a number is a mistyped address, and no name (RFC 1123, 2.1).
      guard let name = DomainName(rest), let last = name.bytes.split(separator: 0x2e).last,
        Decimal.number(last, limit: .max) == nil
      else { return nil }
      target = .name(name)
    }
    self.port = port
    self.transport = transport
  }

  func covers(_ name: DomainName) -> Bool {
    switch target {
    case .name(let own): name == own
    case .namesBelow(let parent): name.isBelow(parent)
    case .addresses: false
    }
  }

  func covers(_ address: IPv4Address) -> Bool {
    if case .addresses(let base, let length) = target { return address.isIn(base, length: length) }
    return false
  }

  func covers(port: UInt16, _ transport: Transport) -> Bool {
    (self.port ?? port) == port && (self.transport ?? transport) == transport
  }
}

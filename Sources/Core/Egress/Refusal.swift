/// What was not let through, for whoever looks after the machine.
package enum Refusal: Hashable, Sendable {
  /// The name server was not asked for it.
  case name(DomainName)
  case server(IPv4Address, port: UInt16, Grant.Transport)
  /// A server that may be reached was called by a name that may not be; or by none, or one that cannot be read.
  case serverName(DomainName?, IPv4Address, port: UInt16)
  /// Its name is encrypted: by TLS Encrypted Client Hello, or as in QUIC, where it is not looked for.
  case hiddenName(IPv4Address, port: UInt16)
  case echo(IPv4Address)
  /// Packets of another kind: an EtherType, or a protocol of IPv4's.
  case frames(kind: UInt16)
  case packets(kind: UInt8)

  package var text: [UInt8] {
    switch self {
    case .name(let name): Array("the name ".utf8) + name.bytes
    case .server(let address, let port, let transport):
      address.text + [0x3a] + Decimal.text(Int(port)) + Array((transport == .tcp ? "/tcp" : "/udp").utf8)
    case .serverName(let name, let address, let port):
      (name.map { Array("a server called ".utf8) + $0.bytes } ?? Array("a server without a name".utf8))
        + Array(" at ".utf8) + address.text + [0x3a] + Decimal.text(Int(port))
    case .hiddenName(let address, let port):
      Array("a server whose name is hidden at ".utf8) + address.text + [0x3a] + Decimal.text(Int(port))
    case .echo(let address): Array("an echo of ".utf8) + address.text
    case .frames(let kind): Array("frames of type ".utf8) + Decimal.text(Int(kind))
    case .packets(let kind): Array("packets of protocol ".utf8) + Decimal.text(Int(kind))
    }
  }
}

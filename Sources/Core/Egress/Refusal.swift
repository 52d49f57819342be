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
  /// Of other kinds than IPv4; once, or a guest would hide by them what else it tries.
  case frames
  /// Of another protocol of IPv4's.
  case packets(kind: UInt8)
  /// There were so many that no more are told.
  case others

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
        + Array(" (browsers need --allow ech)".utf8)
    case .echo(let address): Array("an echo of ".utf8) + address.text
    case .frames: Array("anything by frames that are not IPv4".utf8)
    case .others: Array("much else, of which no more is told".utf8)
    case .packets(let kind): Array("packets of protocol ".utf8) + Decimal.text(Int(kind))
    }
  }
}

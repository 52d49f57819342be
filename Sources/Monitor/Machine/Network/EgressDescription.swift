import Egress

/// What the cards of user networks let through, as `novmm --egress`, `--allow` and `--deny` tell it.
package struct EgressDescription {
  /// The guest's own address, and how much of it is its network's.
  package var address: IPv4Address
  package var prefixLength: Int
  package var resolvers: [IPv4Address] = []
  /// The guest's ports to which its link may send the first datagram.
  package var datagramPorts: Set<UInt16> = []
  package var grants = GrantList(isClosed: false)

  /// Reads `ADDRESS/LENGTH[,dns=ADDRESS]...[,udp=PORT[-PORT]]...[,closed]`.
  package init?(_ text: [UInt8]) {
    let words = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    let own = words[0].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard own.count == 2, let address = IPv4Address(own[0]), let length = Decimal.number(own[1], limit: 32) else {
      return nil
    }
    self.address = address
    prefixLength = length
    for word in words.dropFirst() {
      if word.elementsEqual("closed".utf8) {
        grants.isClosed = true
      } else if word.starts(with: "dns=".utf8), let resolver = IPv4Address(word.dropFirst(4)) {
        resolvers.append(resolver)
      } else if word.starts(with: "udp=".utf8), let ports = Self.ports(word.dropFirst(4)) {
        datagramPorts.formUnion(ports)
      } else {
        return nil
      }
    }
  }

  /// `PORT` or `FIRST-LAST`
  private static func ports(_ text: ArraySlice<UInt8>) -> ClosedRange<UInt16>? {
    let ends = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard ends.count <= 2, let first = Decimal.number(ends[0], limit: 65535), first > 0,
      let last = Decimal.number(ends[ends.count - 1], limit: 65535), first <= last
    else { return nil }
    return UInt16(first)...UInt16(last)
  }

  /// - Returns: whether the text is a grant, and there is room for it.
  package mutating func allow(_ text: [UInt8]) -> Bool { grants.make(.allow, text) }

  package mutating func deny(_ text: [UInt8]) -> Bool { grants.make(.deny, text) }
}

import Egress

/// What the cards of user networks let through, as `novmm --egress`, `--allow` and `--deny` tell it.
package struct EgressDescription {
  /// The guest's own address, and how much of it is its network's.
  package var address: IPv4Address
  package var prefixLength: Int
  package var resolvers: [IPv4Address] = []
  package var grants = GrantList(isClosed: false)

  /// Reads `ADDRESS/LENGTH[,dns=ADDRESS]...[,closed]`.
  package init?(_ text: [UInt8]) {
    let words = text.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    let own = words[0].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard own.count == 2, let address = IPv4Address(own[0]), let length = Int(String(decoding: own[1], as: UTF8.self)),
      (0...32).contains(length)
    else { return nil }
    self.address = address
    prefixLength = length
    for word in words.dropFirst() {
      if word.elementsEqual("closed".utf8) {
        grants.isClosed = true
      } else if word.starts(with: "dns=".utf8), let resolver = IPv4Address(word.dropFirst(4)) {
        resolvers.append(resolver)
      } else {
        return nil
      }
    }
  }

  /// - Returns: whether the text is a grant, and there is room for it.
  package mutating func allow(_ text: [UInt8]) -> Bool { grants.make(.allow, text) }

  package mutating func deny(_ text: [UInt8]) -> Bool { grants.make(.deny, text) }
}

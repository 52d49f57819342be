/// An address, and where servers send on from there (RFC 9110, 15.4).
package struct RedirectedAddress: Equatable, Sendable {
  private let first: String
  /// As it is now.
  package private(set) var address: String
  /// Whether it has been at another server than the first one, by scheme, host or port: what that one is told, and whom it is
  /// believed to be, is for nobody else (RFC 9110, 15.4 and 17.13).
  package private(set) var isElsewhere = false
  private var count = 0

  package static let most = 10

  package init(_ address: String) {
    first = address
    self.address = address
  }

  package var isFirst: Bool { count == 0 }

  /// Goes on to where a server sends.
  ///
  /// - Parameter location: whole, and hostile.
  /// - Throws: what it may not be: no address, one with a user in it, one without TLS after one with it, or one of this host's
  ///   unless the first one was.
  package mutating func follow(_ location: String) throws(FetchReport.Failure) {
    count += 1
    guard count <= Self.most else { throw .connection("the server redirects more than \(Self.most) times") }
    guard Download.isAddress(location), location.utf8.count <= Download.addressLimit,
      location.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
    else { throw .connection("the server redirects to no address, or one of another protocol") }
    guard Self.isSecure(location) || !Self.isSecure(address) else {
      throw .connection("the server redirects to another protocol: without TLS")
    }
    let host = HostName.authority(of: location)
    guard !host.contains("@") else { throw .connection("the server redirects to an address with a user in it") }
    guard !HostName.isOfThisHost(host) || HostName.isOfThisHost(HostName.authority(of: first)) else {
      throw .connection("the server redirects to \(host), which is this host or its neighbour")
    }
    address = location
    if Self.origin(location) != Self.origin(first) { isElsewhere = true }
  }

  private static func isSecure(_ address: String) -> Bool { address.lowercased().hasPrefix("https://") }

  private static func origin(_ address: String) -> String {
    let isSecure = isSecure(address)
    var host = HostName.authority(of: address).lowercased()
    let usual = isSecure ? ":443" : ":80"
    if host.hasSuffix(usual) { host.removeLast(usual.count) }
    return (isSecure ? "https://" : "http://") + host
  }
}

/// What a host's name says of where it is. What DNS makes of it is not looked at.
package enum HostName {
  /// Of an address, the part between `//` and the path: host and port, and a user where there is one (RFC 3986, 3.2).
  package static func authority(of address: String) -> String {
    String(address.drop { $0 != "/" }.dropFirst(2).prefix { !"/?#".contains($0) })
  }

  /// Nobody else is there, and has a certificate for it (Docker's rule): by its own name or an address, and no name that only
  /// begins like one.
  package static func isLoopback(_ host: String) -> Bool {
    let name = host.prefix { $0 != ":" }
    return name == "localhost" || octets(name)?.first == 127
  }

  /// Whether a host is a name or address that only this machine or its link knows, in any form that libcurl and inet_aton(3)
  /// take for one.
  package static func isOfThisHost(_ host: String) -> Bool {
    var name = host.lowercased().prefix { $0 != ":" }
    while name.hasSuffix(".") { name.removeLast() }
    // libcurl undoes %XX, turns other scripts' letters into these (IDNA), and passes over a slash too many.
    let isPlain = name.utf8.allSatisfy {
      (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || [0x2d, 0x2e, 0x5f].contains($0)
    }
    guard isPlain, let last = name.split(separator: ".").last?.utf8.first else { return true }
    if name == "localhost" || name.hasSuffix(".localhost") { return true }
    // No domain begins with a digit: a number, in one of its forms.
    guard (0x30...0x39).contains(last) else { return false }
    guard let octets = octets(name) else { return true }
    return [0, 127].contains(octets[0]) || octets[0] == 169 && octets[1] == 254
  }

  /// Of an IPv4 address as everybody writes it; nil for any other name.
  private static func octets(_ name: Substring) -> [UInt8]? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { part in
      part.utf8.allSatisfy { (0x30...0x39).contains($0) } && (part.count == 1 || part.first != "0") ? UInt8(part) : nil
    }
    return parts.count == 4 && numbers.count == 4 ? numbers : nil
  }
}

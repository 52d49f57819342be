/// How a network card is to be set up, as `novm.nic=` says on the kernel's command line (docs/architecture.md).
struct CardSettings {
  /// The card is the one of this Ethernet address.
  let hardwareAddress: Bytes
  var addresses: [IPPrefix] = []
  /// Asks for an address of IPv4 (RFC 2131).
  var usesDHCP = false
  var gateways: [IPAddress] = []
  var resolvers: [IPAddress] = []

  /// Reads `MAC[,KEY=VALUE]...` with the keys `ip` (an address with its prefix's length, or `dhcp`), `gateway` and
  /// `dns`, each as often as need be; nil for anything else.
  init?(_ text: Bytes) {
    let words = text.parts(at: UInt8(ascii: ","))
    guard let address = Self.hardwareAddress(words[0]) else { return nil }
    hardwareAddress = address
    for word in words.dropFirst() {
      if word == "ip=dhcp" {
        usesDHCP = true
      } else if let value = word.after("ip="), let prefix = IPPrefix(value) {
        addresses.append(prefix)
      } else if let value = word.after("gateway="), let gateway = IPAddress(value) {
        gateways.append(gateway)
      } else if let value = word.after("dns="), let resolver = IPAddress(value) {
        resolvers.append(resolver)
      } else {
        return nil
      }
    }
  }

  private static func hardwareAddress(_ text: Bytes) -> Bytes? {
    let parts = text.parts(at: UInt8(ascii: ":"))
    var bytes: Bytes = []
    for part in parts {
      guard part.count == 2, let high = digit(part[0]), let low = digit(part[1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes.count == 6 ? bytes : nil
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

import Glibc
import Host

/// A network card, as the user asks for it: what the monitor needs to know of it, and how the guest sets it up.
package struct CardRequest: Equatable, Sendable {
  package var card: NetworkCard
  /// Each `ADDRESS/LENGTH`; by DHCP if nil.
  package var addresses: [String]?
  package var gateways: [String] = []
  package var resolvers: [String] = []

  package init(_ card: NetworkCard) { self.card = card }

  /// Reads what ``NetworkCard`` does, and besides `ip=ADDRESS/LENGTH`, `ip=dhcp` or `ip=none`, `gateway=ADDRESS`,
  /// `dns=ADDRESS`; these as often as need be.
  package init(_ text: String) throws(NovmError) {
    let own = ["ip", "gateway", "dns", "filter"]
    var filter: Bool?
    do throws(NetworkCardFault) {
      let words = try CardWords(text, repeatable: own)
      let others = words.pairs.filter { !own.contains($0.key) }.map { "\($0.key)=\($0.value)" }
      guard !others.isEmpty else { throw NetworkCardFault.noLink }
      self.init(try NetworkCard(others.joined(separator: ",")))
      // A machine may be started by another process, long after.
      if !card.descriptors.isEmpty { throw NetworkCardFault.descriptorOfNovm }
      for (key, value) in words.pairs where own.contains(key) {
        switch (key, value) {
        case ("filter", _):
          guard filter == nil else { throw NetworkCardFault.twice("filter") }
          guard value == "on" || value == "off" else { throw NetworkCardFault.filter(value) }
          filter = value == "on"
        case ("ip", "dhcp"): guard addresses == nil else { throw NetworkCardFault.twice("ip") }
        case ("ip", "none"):
          guard addresses == nil else { throw NetworkCardFault.twice("ip") }
          addresses = []
        case ("ip", _):
          guard Self.isPrefix(value) else { throw NetworkCardFault.prefix(value) }
          if addresses == [] { throw NetworkCardFault.twice("ip") }
          addresses = (addresses ?? []) + [value]
        default:
          guard Self.isAddress(value) else { throw NetworkCardFault.ipAddress(key, value) }
          if key == "gateway" { gateways.append(value) } else { resolvers.append(value) }
        }
      }
      guard addresses != nil || gateways.isEmpty else { throw NetworkCardFault.gatewayWithDHCP }
      let given = addresses ?? []
      if filter == true, given.isEmpty { throw NetworkCardFault.filterWithoutAddress }
      // Nobody else's frames, where the address is ours to give.
      if filter != false { card.own = given.compactMap { $0.split(separator: "/").first.map(String.init) } }
    } catch {
      throw .card(text, error)
    }
  }

  /// The word of the kernel's command line by which `noguest` sets it up (docs/architecture.md).
  var kernelArgument: String {
    var words = ["novm.nic=\(card.address?.description ?? "")"]
    if let addresses { words += addresses.map { "ip=\($0)" } } else { words.append("ip=dhcp") }
    words += gateways.map { "gateway=\($0)" } + resolvers.map { "dns=\($0)" }
    return words.joined(separator: ",")
  }

  private static func isPrefix(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let size = addressSize(String(parts[0])), let length = Int(parts[1]) else { return false }
    return (0...size * 8).contains(length) && parts[1].utf8.allSatisfy { (0x30...0x39).contains($0) }
  }

  static func isAddress(_ text: String) -> Bool { addressSize(text) != nil }

  /// 4 or 16 bytes; nil for what is no address.
  private static func addressSize(_ text: String) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 16)
    return unsafe bytes.withUnsafeMutableBytes { bytes in
      if unsafe inet_pton(AF_INET, text, bytes.baseAddress) == 1 { return 4 }
      return unsafe inet_pton(AF_INET6, text, bytes.baseAddress) == 1 ? 16 : nil
    }
  }
}

import CGuest

/// The network cards, set up with no help of the tree's.
enum Network {
  /// How long a machine waits for addresses by DHCP before it takes commands; its clients go on meanwhile.
  private static let patience: Int64 = 5000
  /// The most interfaces that are looked at for a card.
  private static let interfaceLimit: UInt32 = 64

  static func configure(_ cards: [Bytes], hostName: Bytes) {
    var resolvers: [IPAddress] = []
    var clients: [Client] = []
    for text in cards {
      guard let card = CardSettings(text) else {
        Log.error("novm.nic=" + text + ": not understood")
        continue
      }
      do throws(SystemError) {
        guard let interface = try interface(of: card.hardwareAddress) else {
          Log.error("no network card " + text + "; the kernel needs virtio_net")
          continue
        }
        try configure(card, interface)
        if card.usesDHCP { clients.append(Client(interface: interface, card: card)) }
      } catch {
        Log.error("cannot set up the network card " + text + ": " + error.text)
      }
      resolvers += card.resolvers
    }
    if !resolvers.isEmpty { ResolverFile.write(resolvers, domain: []) }
    startClients(clients, resolvers, hostName)
  }

  private struct Client {
    let interface: UInt32
    let card: CardSettings
  }

  private static func configure(_ card: CardSettings, _ interface: UInt32) throws(SystemError) {
    let netlink = try Netlink()
    try netlink.raise(interface)
    for address in card.addresses { try netlink.add(address, to: interface) }
    for gateway in card.gateways {
      let everywhere = IPAddress(bytes: Bytes(repeating: 0, count: gateway.bytes.count))
      try netlink.addRoute(to: IPPrefix(everywhere, length: 0), by: gateway, on: interface)
    }
  }

  /// Starts a process for each, which keeps the address for as long as the machine lives, and waits until each has one.
  ///
  /// - Parameter resolvers: what the descriptions of all cards name.
  private static func startClients(_ clients: [Client], _ resolvers: [IPAddress], _ hostName: Bytes) {
    let end = Clock.milliseconds + patience
    for client in clients {
      do throws(SystemError) {
        let ready = try Pipe()
        guard try Processes.fork() != nil else {
          DHCPClient(
            interface: client.interface, hardwareAddress: client.card.hardwareAddress, hostName: hostName,
            resolvers: resolvers, asksOthers: client.card.resolvers.isEmpty, ready: ready.takeWriter()
          ).run()
        }
        let reader = ready.takeReader()
        var poll = Poll<Void>()
        poll.add(reader.number, readable: true, for: ())
        if try poll.wait(milliseconds: end - Clock.milliseconds).isEmpty {
          Log.warning("no DHCP server answers yet")
        }
      } catch {
        Log.error("cannot ask for an address: " + error.text)
      }
    }
  }

  /// The addresses of all interfaces but the loopback's: IPv4's, and of IPv6's those that others can reach.
  static var addresses: [IPAddress] {
    var addresses: [IPAddress] = []
    let socket = Descriptor(owning: CGuest.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    for index in 1...interfaceLimit {
      var bytes = Bytes(repeating: 0, count: 4)
      let result = unsafe bytes.withUnsafeMutableBufferPointer {
        unsafe cguest_interface_ipv4(socket.number, Int32(index), $0.baseAddress)
      }
      if result == 0, bytes[0] != 127 { addresses.append(IPAddress(bytes: bytes)) }
    }
    // Address, interface, prefix length and scope of each (proc(5)), in hexadecimal digits; scope 00 is global.
    for line in ((try? Files.contents("/proc/net/if_inet6")) ?? []).parts(at: UInt8(ascii: "\n")) {
      let words = line.parts(at: UInt8(ascii: " "))
      guard words.count > 3, words[3] == "00", words[0].count == 32 else { continue }
      var bytes: Bytes = []
      for index in 0..<16 {
        bytes.append(hexadecimal(words[0][2 * index]) << 4 | hexadecimal(words[0][2 * index + 1]))
      }
      addresses.append(IPAddress(bytes: bytes))
    }
    return addresses
  }

  private static func hexadecimal(_ digit: UInt8) -> UInt8 {
    digit <= UInt8(ascii: "9") ? digit &- UInt8(ascii: "0") : digit &- UInt8(ascii: "a") &+ 10
  }

  private static func interface(of address: Bytes) throws(SystemError) -> UInt32? {
    let socket = Descriptor(owning: try check(CGuest.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
    for index in 1...interfaceLimit {
      var bytes = Bytes(repeating: 0, count: 6)
      let result = unsafe bytes.withUnsafeMutableBufferPointer {
        unsafe cguest_interface_address(socket.number, Int32(index), $0.baseAddress)
      }
      if result == 0, bytes == address { return index }
    }
    return nil
  }
}

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

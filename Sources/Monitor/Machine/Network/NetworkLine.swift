import Devices
import Egress
import Host

/// A network card's way from its description to its device.
final class NetworkLine: DevicePart {
  static let kind = DeviceKind { description, board throws(MachineError) in
    var lines: [any DevicePart] = []
    for (index, card) in description.cards.enumerated() {
      let line = NetworkLine(index, report: board.report)
      line.device = try line.open(card, description.egress, board.loop)
      lines.append(line)
    }
    return lines
  }

  private let index: Int
  private let report: (String) -> Void
  private var device: NetworkDevice?
  private var slot: VirtioSlot?
  private var watched: WatchedBackend?
  /// What it lets through, if not all.
  private var filtered: FilteredBackend?

  /// - Parameters:
  ///   - index: the card's place among the machine's.
  ///   - report: takes lines for the machine's operator.
  init(_ index: Int, report: @escaping (String) -> Void) {
    self.index = index
    self.report = report
  }

  /// Opens the card's link, with all that it takes on the host, and makes the device.
  ///
  /// - Parameter egress: what a link by a stream lets through, if not all.
  private func open(
    _ card: NetworkCard, _ egress: EgressDescription?, _ loop: EventLoop
  ) throws(MachineError) -> NetworkDevice {
    let address = (card.address ?? .random()).bytes
    let made: NetworkDevice
    switch card.link {
    case .tap(let name, let bridge):
      made = try openTap(name, bridge, card, address, loop)
    case .tapQueues(let numbers):
      made = try adoptTap(numbers, card, address, loop)
    case .stream(let number):
      let backend: StreamBackend
      do throws(Errno) {
        // Whoever has the other end can say more, and to more purpose.
        backend = try StreamBackend(
          FileDescriptor(owning: number), sendsToLoopback: card.sendsToLoopback, loop: loop
        ) { [self] reason in
          report("network card \(index): \(reason); its link is down")
          pullCable()
        }
      } catch {
        throw .cardDescriptor(number, error)
      }
      let link = try egress.map { egress throws(MachineError) in try filter(backend, egress, address, loop) }
      made = try device(on: link ?? backend, address, card.mtu ?? Self.usualMTU, card, loop)
      backend.device = made
      filtered?.device = made
    }
    return made
  }

  func attach(to board: Board) throws(MachineError) {
    if let device { slot = try board.add(device, named: "card\(index)") }
  }

  func obey(_ order: ControlOrder, _ client: ControlClient) -> Bool {
    switch order {
    case .capture(index): capture(to: client)
    case .egress(let change, let grant):
      guard let filtered else { return false }
      client.answer(make(change, grant, in: filtered))
    default: return false
    }
    return true
  }

  /// Writes the frames that pass from now on to the client (``CaptureStream``).
  private func capture(to client: ControlClient) {
    client.answer("capturing")
    if let socket = client.release() {
      // At most it closes the connection.
      try? watched?.capture(to: socket)
    }
  }

  private func make(_ change: GrantList.Change, _ grant: String, in filtered: FilteredBackend) -> String {
    var grants = filtered.grants
    guard grants.make(change, Array(grant.utf8)) else {
      return change == .remove ? "refused it is not on the list" : "refused the list is full, or it is no grant"
    }
    filtered.grants = grants
    return "changed"
  }

  /// Ethernet's.
  private static let usualMTU = 1500

  private func openTap(
    _ name: String?, _ bridge: String?, _ card: NetworkCard, _ address: [UInt8], _ loop: EventLoop
  ) throws(MachineError) -> NetworkDevice {
    var numbers: [Int32] = []
    var actual = name ?? "novm%d"
    do throws(Errno) {
      for _ in 0..<card.queues {
        let tap = try TapDevice(attachingTo: actual, isOneOfMany: card.queues > 1)
        actual = tap.name
        numbers.append(tap.release())
      }
    } catch {
      throw .tap(name: name ?? "a new tap", error)
    }
    if let bridge {
      do throws(Errno) {
        try NetworkInterface(actual).join(bridge: bridge)
      } catch {
        throw .bridge(name: bridge, port: actual, error)
      }
    }
    let mtu: Int
    do throws(Errno) {
      let interface = try NetworkInterface(actual)
      if let wanted = card.mtu { try interface.setMTU(wanted) }
      try interface.bringUp()
      mtu = try interface.mtu()
    } catch {
      throw .interface(name: actual, error)
    }
    return try device(numbers, actual, mtu, address, card, loop)
  }

  private func adoptTap(
    _ numbers: [Int32], _ card: NetworkCard, _ address: [UInt8], _ loop: EventLoop
  ) throws(MachineError) -> NetworkDevice {
    var owned: [Int32] = []
    var mtu = card.mtu
    var name = ""
    for number in numbers {
      do throws(Errno) {
        let tap = try TapDevice(owning: FileDescriptor(owning: number))
        // Its interface may be in a network namespace that is not ours.
        if mtu == nil { mtu = try? NetworkInterface(tap.name).mtu() }
        name = tap.name
        owned.append(tap.release())
      } catch {
        throw .cardDescriptor(number, error)
      }
    }
    return try device(owned, name, mtu ?? Self.usualMTU, address, card, loop)
  }

  private func device(
    _ numbers: [Int32], _ name: String, _ mtu: Int, _ address: [UInt8], _ card: NetworkCard, _ loop: EventLoop
  ) throws(MachineError) -> NetworkDevice {
    let backend: TapBackend
    do throws(Errno) {
      backend = try TapBackend(numbers, loop: loop) { [self] in
        report("warning: network card \(index): the tap \(name) is gone; the machine goes on with the cable pulled")
        pullCable()
      }
    } catch {
      throw .cardDescriptor(numbers[0], error)
    }
    let made = try device(on: backend, address, mtu, card, loop)
    backend.device = made
    return made
  }

  /// The device on its link, or on what limits that.
  private func device(
    on link: any NetworkBackend, _ address: [UInt8], _ mtu: Int, _ card: NetworkCard, _ loop: EventLoop
  ) throws(MachineError) -> NetworkDevice {
    let mtu = UInt16(clamping: mtu)
    let sending: (any NetworkBackend)?
    do throws(Errno) {
      let source = SourceFilter(
        hardwareAddress: address.reduce(0) { $0 << 8 | UInt64($1) },
        addresses: card.own.compactMap(NetworkCard.bytes(of:)))
      sending = card.own.isEmpty ? nil : try SourceFilteredBackend(link, source)
    } catch {
      throw .host("filter", error)
    }
    let link = WatchedBackend(sending ?? link, name: "card \(index)", loop: loop)
    watched = link
    guard let rate = card.rate else {
      return NetworkDevice(address: address, mtu: mtu, pairs: card.queues, backend: link)
    }
    do throws(Errno) {
      let limited = try RateLimitedBackend(
        link, pairs: card.queues, rate: UInt64(rate), burst: UInt64(card.burst ?? max(rate / 10, 1)), loop: loop)
      let made = NetworkDevice(address: address, mtu: mtu, pairs: card.queues, backend: limited)
      limited.device = made
      return made
    } catch {
      throw .host("timer", error)
    }
  }

  private func filter(
    _ link: any NetworkBackend, _ egress: EgressDescription, _ address: [UInt8], _ loop: EventLoop
  ) throws(MachineError) -> any NetworkBackend {
    let card = EgressFilter.Card(
      hardwareAddress: address.reduce(0) { $0 << 8 | UInt64($1) }, address: egress.address,
      prefixLength: egress.prefixLength, resolvers: egress.resolvers, datagramPorts: egress.datagramPorts)
    let filter = EgressFilter(card, egress.grants) { [self] refusal in
      report("warning: network card \(index) does not reach \(String(decoding: refusal.text, as: UTF8.self))")
    }
    do throws(Errno) {
      let made = try FilteredBackend(link, filter, loop: loop)
      filtered = made
      return made
    } catch {
      throw .host("filter", error)
    }
  }

  private func pullCable() {
    device?.setLink(isUp: false)
    slot?.configurationChanged()
  }
}

/// Lets through what a list grants, between a guest's card and its link, and nothing else: frames of the guest are hostile.
///
///     guest ── outbound(frame) ──► .pass: the same bytes go to the link    .answer: these go to the guest instead
///     guest ◄── inbound(frame) ── true: the frame goes to the guest
///
/// Names are followed by the answers of the machine's own name server, the only one that is reached. An address is granted for as
/// long as an answer that named it holds, and what begins in that time goes on. Which of the servers at one address a
/// client means is told by TLS alone; what is not TLS cannot be told apart. IPv6 does not pass, nor do fragments, options,
/// and groups.
package struct EgressFilter {
  /// What the card is.
  package struct Card {
    package var hardwareAddress: UInt64
    package var address: IPv4Address
    /// Bits of the addresses on its link.
    package var prefixLength: Int
    package var resolvers: [IPv4Address]
    /// Those of the guest's to which anybody on its link may send the first datagram.
    package var datagramPorts: Set<UInt16>

    package init(
      hardwareAddress: UInt64, address: IPv4Address, prefixLength: Int, resolvers: [IPv4Address],
      datagramPorts: Set<UInt16> = []
    ) {
      self.hardwareAddress = hardwareAddress
      self.address = address
      self.prefixLength = prefixLength
      self.resolvers = resolvers
      self.datagramPorts = datagramPorts
    }
  }

  package enum Verdict: Equatable {
    case pass
    case drop
    /// A frame for the guest.
    case answer([UInt8])
  }

  private struct Asked {
    var name: DomainName
    var time: UInt64
  }

  private let card: Card
  /// What has begun goes on only by what the list still has.
  package var grants: GrantList {
    didSet { endOthers() }
  }
  fileprivate var flows = FlowTable()
  private var resolved = ResolvedNames()
  /// Questions without an answer yet, by their ports and identifiers.
  private var asked: [FlowTable.Key: Asked] = [:]
  private var told: Set<Refusal> = []
  private let tell: (Refusal) -> Void

  private static let askedLimit = 512
  private static let askedTime: UInt64 = 10_000_000_000
  private static let toldLimit = 512

  /// - Parameter tell: called once for each different refusal, and for a bounded number of them.
  package init(_ card: Card, _ grants: GrantList, tell: @escaping (Refusal) -> Void) {
    self.card = card
    self.grants = grants
    self.tell = tell
  }

  // MARK: From the guest

  /// - Parameters:
  ///   - frame: an Ethernet frame, which nobody changes any more.
  ///   - now: nanoseconds of any clock that goes on.
  package mutating func outbound(_ frame: Span<UInt8>, now: UInt64) -> Verdict {
    guard let ethernet = EthernetFrame(frame), ethernet.source == card.hardwareAddress else { return .drop }
    if ethernet.kind == EthernetFrame.arp { return isOwnARP(frame) ? .pass : .drop }
    // Every kernel tries by itself.
    if ethernet.kind == EthernetFrame.ipv6 { return .drop }
    guard ethernet.kind == EthernetFrame.ipv4 else { return refuse(.frames, nil) }
    // Groups and broadcasts, DHCP's too: the card's addresses are known.
    guard ethernet.destination >> 40 & 1 == 0, let packet = IPv4Packet(frame), packet.source == card.address,
      packet.destination.value >> 28 < 0xe
    else { return .drop }
    switch packet.kind {
    case IPv4Packet.tcp:
      guard let segment = TCPSegment(frame, packet) else { return .drop }
      return outbound(frame, packet, segment, now)
    case IPv4Packet.udp:
      guard let datagram = UDPDatagram(frame, packet) else { return .drop }
      return outbound(frame, packet, datagram, now)
    case IPv4Packet.icmp: return echo(frame, packet, now)
    default: return refuse(.packets(kind: packet.kind), EgressReply.prohibited(frame, packet))
    }
  }

  /// Whether an ARP packet (RFC 826) asks for an address of the link's or tells the card's own, and carries nothing else.
  private func isOwnARP(_ frame: Span<UInt8>) -> Bool {
    guard frame.count >= 42, frame.count <= 60, frame.number(UInt32.self, at: 14) == 0x0001_0800,
      frame.number(UInt16.self, at: 18) == 0x0604, let operation = frame.number(UInt16.self, at: 20),
      operation == 1 || operation == 2, let high = frame.number(UInt32.self, at: 22),
      let low = frame.number(UInt16.self, at: 26), UInt64(high) << 16 | UInt64(low) == card.hardwareAddress,
      let sender = frame.number(UInt32.self, at: 28), sender == 0 || sender == card.address.value,
      let target = frame.number(UInt32.self, at: 38), IPv4Address(target).isIn(card.address, length: card.prefixLength)
    else { return false }
    for index in 42..<frame.count where frame[index] != 0 { return false }
    return true
  }

  private mutating func outbound(
    _ frame: Span<UInt8>, _ packet: IPv4Packet, _ segment: TCPSegment, _ now: UInt64
  ) -> Verdict {
    let key = FlowTable.Key(
      kind: IPv4Packet.tcp, guestPort: segment.source, remote: packet.destination, remotePort: segment.destination)
    let isBeginning = segment.flags & (TCPSegment.syn | TCPSegment.ack) == TCPSegment.syn
    if isBeginning {
      // Data that comes with it (RFC 7413) would be read before it could be looked at.
      guard segment.data.isEmpty else { return .drop }
      let start = segment.sequence &+ 1
      // Said again before anything else was. Behind data it begins another connection, of which nothing has been seen.
      if let flow = flows.find(key, now: now), flow.start == start, flow.hello?.bytes.isEmpty == true { return .pass }
      let names = resolved.names(of: packet.destination, now: now)
      switch permission(packet.destination, names, segment.destination, .tcp) {
      case .none:
        flows.remove(key)
        return refuse(
          .server(packet.destination, port: segment.destination, .tcp), EgressReply.reset(frame, packet, segment))
      case .address: flows.set(key, FlowTable.Flow(lastUse: now, basis: .address))
      case .names:
        let hello = HelloInspection(start: start)
        flows.set(
          key, FlowTable.Flow(lastUse: now, basis: .names(names), start: start, awaited: start, hello: hello))
      }
      return .pass
    }
    guard var flow = flows.find(key, now: now) else {
      return reply(EgressReply.reset(frame, packet, segment))
    }
    // Without an answer to it this may be a connection that began earlier, and elsewhere.
    guard flow.awaited == nil || segment.data.isEmpty else { return .drop }
    flow.lastUse = now
    if segment.flags & (TCPSegment.fin | TCPSegment.reset) != 0 { flow.isEnding = true }
    var verdict = Verdict.pass
    if flow.hello != nil {
      if !segment.data.isEmpty, !flows.canHold { flows.makeRoom(now) }
      switch flow.hello!.take(frame.bytes(segment.data), sequence: segment.sequence) {
      case .pass: break
      case .drop: verdict = .drop
      case .decide(let hello):
        if let refusal = refusal(of: hello, packet.destination, segment.destination) {
          flows.remove(key)
          return refuse(refusal, EgressReply.reset(frame, packet, segment))
        }
        if case .complete(let name?, _) = hello { flow.basis = .names([name]) }
      case .refuse:
        flows.remove(key)
        return refuse(
          .serverName(nil, packet.destination, port: segment.destination), EgressReply.reset(frame, packet, segment))
      }
    }
    flows.set(key, flow)
    return verdict
  }

  private func permission(
    _ address: IPv4Address, _ names: [DomainName], _ port: UInt16, _ transport: Grant.Transport
  ) -> GrantList.Permission {
    // Which is asked by datagrams, each of which is looked at: passt leads nothing else to it.
    if isResolver(address, port) { return .none }
    return grants.permission(address, names: names, port: port, transport)
  }

  /// The machine's own name server, whatever the list has.
  private func isResolver(_ address: IPv4Address, _ port: UInt16) -> Bool {
    port == 53 && card.resolvers.contains(address)
  }

  private mutating func endOthers() {
    var kept = flows
    kept.keep { key, flow in
      let transport: Grant.Transport = key.kind == IPv4Packet.tcp ? .tcp : .udp
      switch flow.basis {
      case .link: return true
      case .address where key.kind == IPv4Packet.icmp: return grants.permitsAll(key.remote)
      case .address:
        return permission(key.remote, [], key.remotePort, transport) == .address
      case .names(let names):
        return permission(key.remote, names, key.remotePort, transport) != .none
      }
    }
    flows = kept
  }

  private func refusal(of hello: ClientHello, _ address: IPv4Address, _ port: UInt16) -> Refusal? {
    switch hello {
    case .incomplete, .other: return nil
    case .malformed: return .serverName(nil, address, port: port)
    case .complete(let name, let isHidden):
      if isHidden, !grants.allowsHiddenNames { return .hiddenName(address, port: port) }
      guard let name else { return grants.isClosed ? .serverName(nil, address, port: port) : nil }
      return grants.permits(name, port: port, .tcp) ? nil : .serverName(name, address, port: port)
    }
  }

  private mutating func outbound(
    _ frame: Span<UInt8>, _ packet: IPv4Packet, _ datagram: UDPDatagram, _ now: UInt64
  ) -> Verdict {
    if isResolver(packet.destination, datagram.destination) {
      return question(frame, packet, datagram, now)
    }
    let key = FlowTable.Key(
      kind: IPv4Packet.udp, guestPort: datagram.source, remote: packet.destination, remotePort: datagram.destination)
    let isHidden = hidesName(frame, datagram) && !grants.allowsHiddenNames
    if var flow = flows.find(key, now: now) {
      var isByName = false
      if case .names = flow.basis { isByName = true }
      if !(isByName && isHidden) {
        flow.lastUse = now
        flows.set(key, flow)
        return .pass
      }
    }
    let names = resolved.names(of: packet.destination, now: now)
    switch permission(packet.destination, names, datagram.destination, .udp) {
    case .none:
      return refuse(
        .server(packet.destination, port: datagram.destination, .udp), EgressReply.prohibited(frame, packet))
    case .address: flows.set(key, FlowTable.Flow(lastUse: now, basis: .address))
    case .names:
      if isHidden {
        return refuse(
          .hiddenName(packet.destination, port: datagram.destination), EgressReply.prohibited(frame, packet))
      }
      flows.set(key, FlowTable.Flow(lastUse: now, basis: .names(names)))
    }
    return .pass
  }

  /// Whether a datagram may be the first of QUIC, whose names are encrypted with keys that all may know (RFC 9001, 5.2): a long
  /// header in what is long itself (RFC 9000, 14.1 and 17.2), or whatever goes to its port. Its clients go on by TCP.
  private func hidesName(_ frame: Span<UInt8>, _ datagram: UDPDatagram) -> Bool {
    if datagram.destination == 443 { return true }
    return datagram.data.count >= 1200 && frame[datagram.data.lowerBound] & 0xc0 == 0xc0
  }

  private mutating func question(
    _ frame: Span<UInt8>, _ packet: IPv4Packet, _ datagram: UDPDatagram, _ now: UInt64
  ) -> Verdict {
    let message = frame.extracting(datagram.data)
    guard let question = DNSQuestion(message) else { return .drop }
    func answer(_ code: UInt16) -> [UInt8] {
      EgressReply.datagram(frame, packet, datagram, question.answer(message, code: code))
    }
    guard grants.permits(question.name) else { return refuse(.name(question.name), answer(5)) }
    // No address that would not be reached.
    if question.kind == DNSQuestion.address6 || isHiding(question) { return .answer(answer(0)) }
    let key = FlowTable.Key(
      kind: IPv4Packet.udp, guestPort: datagram.source, remote: packet.destination, remotePort: datagram.destination)
    return ask(key, question, now) ? .pass : .drop
  }

  /// Whether a question is for a key by which a server's name is hidden.
  private func isHiding(_ question: DNSQuestion) -> Bool {
    DNSQuestion.bindings.contains(question.kind) && !grants.allowsHiddenNames
  }

  /// Remembers that an answer is waited for, where there is room.
  private mutating func ask(_ key: FlowTable.Key, _ question: DNSQuestion, _ now: UInt64) -> Bool {
    if asked.count >= Self.askedLimit {
      asked = asked.filter { now &- $0.value.time <= Self.askedTime }
      guard asked.count < Self.askedLimit else { return false }
    }
    asked[Self.question(key, question)] = Asked(name: question.name, time: now)
    return true
  }

  /// Whose question it is: the flow's, by its identifier.
  private static func question(_ key: FlowTable.Key, _ question: DNSQuestion) -> FlowTable.Key {
    FlowTable.Key(kind: key.kind, guestPort: key.guestPort, remote: key.remote, remotePort: question.identifier)
  }

  /// Echoes alone (RFC 792), and of those all of whose ports may be reached.
  private mutating func echo(_ frame: Span<UInt8>, _ packet: IPv4Packet, _ now: UInt64) -> Verdict {
    let start = packet.payload.lowerBound
    guard packet.payload.count >= 8, frame.number(UInt16.self, at: start) == 0x0800,
      let identifier = frame.number(UInt16.self, at: start + 4)
    else { return .drop }
    guard grants.permitsAll(packet.destination) else {
      return refuse(.echo(packet.destination), EgressReply.prohibited(frame, packet))
    }
    flows.set(
      FlowTable.Key(kind: IPv4Packet.icmp, guestPort: identifier, remote: packet.destination, remotePort: 0),
      FlowTable.Flow(lastUse: now, basis: .address))
    return .pass
  }

  private func reply(_ answer: [UInt8]?) -> Verdict { answer.map { .answer($0) } ?? .drop }

  private mutating func refuse(_ refusal: Refusal, _ answer: [UInt8]?) -> Verdict {
    if told.count < Self.toldLimit, told.insert(refusal).inserted {
      tell(refusal)
      if told.count == Self.toldLimit { tell(.others) }
    }
    return reply(answer)
  }

  // MARK: To the guest

  /// Whether a frame of the link's is the guest's: what belongs to something that passes, or begins something with it, as
  /// published ports do: a connection, or the first datagram to one of `Card.datagramPorts`.
  package mutating func inbound(_ frame: Span<UInt8>, now: UInt64) -> Bool {
    guard let ethernet = EthernetFrame(frame) else { return false }
    if ethernet.kind == EthernetFrame.arp { return true }
    guard ethernet.kind == EthernetFrame.ipv4, let packet = IPv4Packet(frame), packet.destination == card.address else {
      return false
    }
    switch packet.kind {
    case IPv4Packet.tcp:
      guard let segment = TCPSegment(frame, packet) else { return false }
      let key = FlowTable.Key(
        kind: IPv4Packet.tcp, guestPort: segment.destination, remote: packet.source, remotePort: segment.source)
      var flow = flows.find(key, now: now)
      let isBeginning = segment.flags & (TCPSegment.syn | TCPSegment.ack) == TCPSegment.syn
      if flow == nil, isBeginning { flow = FlowTable.Flow(lastUse: now, basis: .link) }
      guard var flow else { return false }
      flow.lastUse = now
      let isAnswer = segment.flags & TCPSegment.syn != 0 && segment.flags & TCPSegment.ack != 0
      if isAnswer, flow.awaited == segment.acknowledgement { flow.awaited = nil }
      if segment.flags & TCPSegment.ack != 0 {
        flow.isEstablished = true
        if flow.hello?.isTaken(by: segment.acknowledgement) == true { flow.hello = nil }
      }
      if segment.flags & (TCPSegment.fin | TCPSegment.reset) != 0 { flow.isEnding = true }
      flows.set(key, flow)
      return true
    case IPv4Packet.udp:
      guard let datagram = UDPDatagram(frame, packet) else { return false }
      let key = FlowTable.Key(
        kind: IPv4Packet.udp, guestPort: datagram.destination, remote: packet.source, remotePort: datagram.source)
      if isResolver(packet.source, datagram.source) { return learn(frame.extracting(datagram.data), key, now) }
      // A late answer, to what passes no more, is no beginning: it would let the guest go on.
      var flow = flows.find(key, now: now)
      if flow == nil, card.datagramPorts.contains(datagram.destination) {
        flow = FlowTable.Flow(lastUse: now, basis: .link)
      }
      guard var flow else { return false }
      flow.lastUse = now
      flows.set(key, flow)
      return true
    case IPv4Packet.icmp: return isOwnICMP(frame, packet, now)
    default: return false
    }
  }

  /// Learns which addresses an answer names; false if nobody asked for it.
  private mutating func learn(_ message: Span<UInt8>, _ flow: FlowTable.Key, _ now: UInt64) -> Bool {
    guard let question = DNSQuestion(message, isAnswer: true) else { return false }
    let key = Self.question(flow, question)
    guard let asked = asked[key], asked.name == question.name, now &- asked.time <= Self.askedTime else { return false }
    self.asked[key] = nil
    for (address, seconds) in DNSAnswer(message, question).addresses {
      // A name leads to nothing that is on this link, or loopback, whatever its owner says.
      guard !address.isSpecial, !address.isIn(card.address, length: card.prefixLength) else { continue }
      resolved.add(question.name, address, seconds: seconds, now: now)
    }
    return true
  }

  /// Answers to echoes, and what routers say of packets that passed.
  private func isOwnICMP(_ frame: Span<UInt8>, _ packet: IPv4Packet, _ now: UInt64) -> Bool {
    let start = packet.payload.lowerBound
    guard packet.payload.count >= 8, let kind = frame.number(UInt8.self, at: start) else { return false }
    switch kind {
    case 0:
      guard let identifier = frame.number(UInt16.self, at: start + 4) else { return false }
      return flows.find(
        FlowTable.Key(kind: IPv4Packet.icmp, guestPort: identifier, remote: packet.source, remotePort: 0), now: now)
        != nil
    case 3, 11:
      // The header and eight bytes of the packet that it speaks of.
      let inner = start + 8
      guard frame.number(UInt8.self, at: inner) == 0x45, let kind = frame.number(UInt8.self, at: inner + 9),
        frame.number(UInt32.self, at: inner + 12) == card.address.value,
        let remote = frame.number(UInt32.self, at: inner + 16), let port = frame.number(UInt16.self, at: inner + 20),
        let remotePort = frame.number(UInt16.self, at: inner + 22), inner + 24 <= packet.payload.upperBound,
        kind != IPv4Packet.icmp
      else { return false }
      let key = FlowTable.Key(kind: kind, guestPort: port, remote: IPv4Address(remote), remotePort: remotePort)
      return flows.find(key, now: now) != nil
    default: return false
    }
  }
}

extension EgressFilter {
  /// For tests.
  var flowCount: Int { flows.count }
}

import Testing

@testable import Egress

@Suite final class EgressFilterTests {
  private typealias F = Frames
  private var refused: [String] = []
  private var now: UInt64 = 1_000_000_000
  private static let server = IPv4Address(0xc000_0207)

  private func filter(_ allowed: [String], denied: [String] = [], isClosed: Bool = true, hidden: Bool = false)
    throws -> EgressFilter
  {
    var grants = GrantList(isClosed: isClosed, allowsHiddenNames: hidden)
    for text in allowed {
      let grant = try #require(Grant(Array(text.utf8)))
      _ = grants.allow(grant)
    }
    for text in denied {
      let grant = try #require(Grant(Array(text.utf8)))
      _ = grants.deny(grant)
    }
    let card = EgressFilter.Card(
      hardwareAddress: F.card, address: F.guest, prefixLength: 24, resolvers: [F.resolver], datagramPorts: [53])
    return EgressFilter(card, grants) { [self] in refused.append(String(decoding: $0.text, as: UTF8.self)) }
  }

  private func out(_ filter: inout EgressFilter, _ frame: [UInt8]) -> EgressFilter.Verdict {
    filter.outbound(frame.span, now: now)
  }

  private func comesIn(_ filter: inout EgressFilter, _ frame: [UInt8]) -> Bool { filter.inbound(frame.span, now: now) }

  private func isAnswered(_ verdict: EgressFilter.Verdict?) -> Bool {
    if case .answer = verdict { return true }
    return false
  }

  private struct NoAnswer: Error {}

  private func answered(_ filter: inout EgressFilter, _ frame: [UInt8]) throws -> [UInt8] {
    if case .answer(let answer) = out(&filter, frame) { return answer }
    throw NoAnswer()
  }

  /// Asks for a name and hears this address.
  private func resolve(
    _ filter: inout EgressFilter, _ name: String, _ address: IPv4Address = server, seconds: UInt32 = 60
  ) {
    #expect(out(&filter, F.udp(F.resolver, 53, F.question(name))) == .pass)
    let answer = F.answer(name, [([0xc0, 12], 1, seconds, F.bytes(address))])
    #expect(comesIn(&filter, F.udp(F.resolver, 53, answer, isInbound: true)) == true)
  }

  /// Begins a connection, which the server answers.
  private func connect(_ filter: inout EgressFilter, _ port: UInt16 = 443, _ server: IPv4Address = server) {
    #expect(out(&filter, F.tcp(server, port, 2)) == .pass)
    #expect(comesIn(&filter, F.tcp(server, port, 0x12, acknowledgement: 1001, isInbound: true)))
  }

  @Test func nothingPassesAClosedList() throws {
    var filter = try filter([])
    let server = Self.server
    let frames: [[UInt8]] = [
      F.udp(server, 53, F.question("example.org")), F.udp(server, 443, [0xc0]), F.tcp(server, 443, 2),
      F.tcp(F.resolver, 53, 2), F.tcp(server, 853, 2), F.ip(1, [8, 0, 0, 0, 0, 1, 0, 1], to: server),
      F.ip(47, [1, 2, 3, 4], to: server), F.ethernet(0x86dd, [UInt8](repeating: 0x60, count: 60)),
      F.ethernet(0x88cc, [1, 2, 3]), F.tcp(server, 443, 16, [1, 2, 3]), F.ethernet(0x8100, [0, 1, 8, 0]),
      // By another sender, in pieces, with options, to groups.
      F.ethernet(0x0806, [], from: 5), F.ip(17, [], to: server, from: IPv4Address(0)),
      F.ip(6, [UInt8](repeating: 0, count: 20), to: server, fragment: 0x2000),
      F.ip(6, [UInt8](repeating: 0, count: 20), to: server, fragment: 5),
      F.ip(6, [UInt8](repeating: 0, count: 24), to: server, first: 0x46),
      F.udp(IPv4Address(0xe000_00fb), 5353, [1]), F.udp(IPv4Address(0xffff_ffff), 67, [1]), [], [1, 2, 3],
    ]
    for frame in frames { #expect(out(&filter, frame) != .pass) }
    #expect(refused.contains("the name example.org") == false && refused.contains("192.0.2.7:443/tcp"))
  }

  @Test func addressesPassByRangePortAndTransport() throws {
    var filter = try filter(["192.0.2.0/24:5432/tcp", "198.51.100.1"])
    #expect(out(&filter, F.tcp(Self.server, 5432, 2)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 5432, 16, [0x16, 3, 1])) == .pass)
    #expect(comesIn(&filter, F.tcp(Self.server, 5432, 0x12, isInbound: true)) == true)
    #expect(comesIn(&filter, F.tcp(Self.server, 5433, 0x12, isInbound: true)) == false)
    let reset = try answered(&filter, F.tcp(Self.server, 5433, 2))
    // RST and ACK, to the guest, for the number after the SYN's.
    #expect(reset[47] == 0x14 && Array(reset[30..<34]) == F.bytes(F.guest) && Array(reset[42..<46]) == [0, 0, 3, 0xe9])
    #expect(out(&filter, F.udp(Self.server, 5432, [1])) != .pass)
    #expect(out(&filter, F.udp(IPv4Address(0xc633_6401), 9, [1])) == .pass)
    #expect(out(&filter, F.ip(1, [8, 0, 0, 0, 0, 1, 0, 1], to: IPv4Address(0xc633_6401))) == .pass)
    for (identifier, isOwn) in [(1, true), (2, false)] as [(UInt8, Bool)] {
      let echo: [UInt8] = [0, 0, 0, 0, 0, identifier, 0, 1]
      #expect(comesIn(&filter, F.ip(1, echo, to: IPv4Address(0xc633_6401), isInbound: true)) == isOwn)
    }
    // Another name server only by its port.
    #expect(out(&filter, F.udp(IPv4Address(0xc633_6401), 53, F.question("a.example"))) != .pass)
  }

  @Test func namesAreFollowed() throws {
    var filter = try filter(["example.org:443", "*.example.net"], denied: ["bad.example.net"])
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) != .pass)
    resolve(&filter, "example.org")
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 80, 2)) != .pass)
    #expect(out(&filter, F.udp(Self.server, 443, [0xc3])) != .pass)
    for name in ["example.net", "bad.example.net", "other.org", "org", "xexample.net"] {
      let answer = try answered(&filter, F.udp(F.resolver, 53, F.question(name)))
      // REFUSED, of the same question.
      #expect(answer[42...43] == [0, 7] && answer[44] & 0x80 != 0 && answer[45] & 15 == 5)
      #expect(refused.last == "the name \(name)")
    }
    resolve(&filter, "A.b.eXample.net", IPv4Address(0xc000_0208))
    #expect(out(&filter, F.tcp(IPv4Address(0xc000_0208), 8080, 2)) == .pass)
    // No address of version 6 and no keys for hidden names, by answers without records.
    for kind in [28, 65, 64] as [UInt16] {
      let frame = F.udp(F.resolver, 53, F.question("example.org", kind: kind))
      let answer = try answered(&filter, frame)
      #expect(answer[45] & 15 == 0 && Array(answer[48..<50]) == [0, 0])
    }
  }

  @Test func addressesLiveAsLongAsAnswersAndWhatBeganGoesOn() throws {
    var filter = try filter(["example.org"])
    resolve(&filter, "example.org", seconds: 30)
    connect(&filter, 22)
    now += 31_000_000_000
    #expect(out(&filter, F.tcp(Self.server, 22, 2, guestPort: 40001)) != .pass)
    #expect(out(&filter, F.tcp(Self.server, 22, 16, sequence: 1001, Array("SSH-2.0".utf8))) == .pass)
    #expect(comesIn(&filter, F.tcp(Self.server, 22, 16, isInbound: true)) == true)
  }

  @Test func answersThatNobodyAskedForTeachNothing() throws {
    var filter = try filter(["example.org", "*.example.net"])
    func hear(_ name: String, identifier: UInt16 = 7, from server: IPv4Address = F.resolver) -> Bool {
      let answer = F.answer(name, [([0xc0, 12], 1, 60, F.bytes(Self.server))], identifier: identifier)
      return comesIn(&filter, F.udp(server, 53, answer, isInbound: true))
    }
    #expect(!hear("example.org"))
    #expect(out(&filter, F.udp(F.resolver, 53, F.question("example.org"))) == .pass)
    #expect(!hear("example.org", identifier: 8))
    #expect(!hear("www.example.net"))
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) != .pass)
    #expect(hear("example.org"))
    #expect(!hear("example.org"))
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) == .pass)
  }

  @Test func aliasesAreFollowedAndStrangersAreNot() throws {
    var filter = try filter(["example.org"])
    #expect(out(&filter, F.udp(F.resolver, 53, F.question("example.org"))) == .pass)
    let answer = F.answer(
      "example.org",
      [
        ([0xc0, 12], 5, 60, F.name("cdn.example.com")), (F.name("cdn.example.com"), 1, 60, F.bytes(Self.server)),
        (F.name("other.example.com"), 1, 60, [192, 0, 2, 9]), ([0xc0, 12], 1, 60, F.bytes(F.resolver)),
        ([0xc0, 12], 1, 60, [127, 0, 0, 1]),
      ])
    #expect(comesIn(&filter, F.udp(F.resolver, 53, answer, isInbound: true)) == true)
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) == .pass)
    for other in [0xc000_0209, F.resolver.value, 0x7f00_0001] as [UInt32] {
      #expect(out(&filter, F.tcp(IPv4Address(other), 443, 2)) != .pass)
    }
  }

  /// In segments of any size and in records of any size.
  @Test(arguments: [1, 5, 40, 2000], [7, 16384]) func serversAreCalledByNamesOfTheList(
    _ segment: Int, _ record: Int
  ) throws {
    for (name, passes) in [("example.org", true), ("EXAMPLE.org", true), ("evil.example", false), (nil, false)]
      as [(String?, Bool)]
    {
      var filter = try filter(["example.org:443"])
      resolve(&filter, "example.org")
      connect(&filter)
      let stream = F.hello(name, recordSize: record)
      var at = 0
      var verdicts: [EgressFilter.Verdict] = []
      while at < stream.count {
        let piece = Array(stream[at..<min(at + segment, stream.count)])
        verdicts.append(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001 + UInt32(at), piece)))
        at += piece.count
      }
      #expect(verdicts.allSatisfy { $0 == .pass } == passes, "\(name ?? "-")")
      #expect(isAnswered(verdicts.last) == !passes)
      // What follows is of no connection any more.
      #expect((out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001 + UInt32(at), [1])) == .pass) == passes)
    }
  }

  @Test func hiddenNamesPassOnlyIfAllowed() throws {
    for hidden in [false, true] {
      var filter = try filter(["example.org"], hidden: hidden)
      resolve(&filter, "example.org")
      connect(&filter)
      let hello = F.hello("example.org", hidden: true)
      #expect((out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, hello)) == .pass) == hidden)
      #expect((out(&filter, F.udp(Self.server, 443, [0xc3, 0, 0, 0, 1])) == .pass) == hidden)
      #expect(refused == (hidden ? [] : ["a server whose name is hidden at 192.0.2.7:443 (browsers need --allow ech)"]))
      refused = []
    }
  }

  /// Where clients send at once what they have: early data, or much else.
  @Test func whatIsBehindAHelloIsNotItsPart() throws {
    let early: [UInt8] = [20, 3, 3, 0, 1, 1, 23, 3, 3, 0x40, 0] + [UInt8](repeating: 7, count: 0x4000)
    for name in ["example.org", "evil.example"] {
      for rest in [Array(early.prefix(6)), Array(early.prefix(8)), early] {
        var filter = try filter(["example.org"])
        resolve(&filter, "example.org")
        connect(&filter)
        let data = F.hello(name) + rest
        #expect((out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, data)) == .pass) == (name == "example.org"))
        let end = 1001 + UInt32(data.count)
        #expect((out(&filter, F.tcp(Self.server, 443, 16, sequence: end, [1])) == .pass) == (name == "example.org"))
      }
    }
    var filter = try filter(["example.org"])
    resolve(&filter, "example.org")
    connect(&filter, 80)
    let post = Array("POST / HTTP/1.1\r\n".utf8) + [UInt8](repeating: 0x61, count: 40000)
    #expect(out(&filter, F.tcp(Self.server, 80, 16, sequence: 1001, post)) == .pass)
    // A hello that is longer than any is none.
    connect(&filter)
    let endless = ([1, 0, 0x3f, 0xfc] + [UInt8](repeating: 0, count: 3996)).flatMap { [22, 3, 1, 0, 1, $0] as [UInt8] }
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, Array(endless[..<12000]))) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 13001, Array(endless[12000...]))) != .pass)
  }

  /// A server passes over an alert, and takes what follows for the first message.
  @Test(
    arguments: [
      [21, 3, 1, 0, 2, 1, 90], [20, 3, 3, 0, 1, 1], [23, 3, 3, 0, 1, 0], [24, 3, 3, 0, 1, 0],
    ] as [[UInt8]])
  func noOtherRecordComesBeforeAHello(_ record: [UInt8]) throws {
    for size in [1, 2, 100] {
      var filter = try filter(["example.org"])
      resolve(&filter, "example.org")
      connect(&filter)
      let stream = record + F.hello("evil.example")
      var hasPassed = true
      for at in stride(from: 0, to: stream.count, by: size) {
        let piece = Array(stream[at..<min(at + size, stream.count)])
        hasPassed = out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001 + UInt32(at), piece)) == .pass
      }
      #expect(!hasPassed)
    }
    // What only begins so is no TLS.
    #expect(ClientHello([record[0], 9]) == .other && ClientHello([record[0]]) == .incomplete)
  }

  /// The server must not be told another name than we were: what is sent again is the same.
  @Test func aHelloIsNotSentTwice() throws {
    var filter = try filter(["example.org"])
    resolve(&filter, "example.org")
    connect(&filter)
    let hello = F.hello("example.org")
    // A gap, and bytes from before the first.
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1002, hello)) == .drop)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 990, hello)) == .drop)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, hello)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, hello)) == .pass)
    var other = filter
    #expect(out(&other, F.tcp(Self.server, 443, 16, sequence: 1001, F.hello("examplx.org"))) != .pass)
    // Once the server has it, it has it.
    let end = 1001 + UInt32(hello.count)
    #expect(comesIn(&filter, F.tcp(Self.server, 443, 16, acknowledgement: end, isInbound: true)) == true)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: end, [1, 2, 3])) == .pass)
    // Another connection by the same number says what it means, too.
    let evil = F.tcp(Self.server, 443, 16, sequence: 1001, F.hello("evil.example"))
    connect(&filter)
    #expect(out(&filter, evil) != .pass)
    // Also while the server's word for the hello of the one before is still to come; but what is only said again is no other.
    connect(&filter)
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, hello)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 443, 4, sequence: end)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 443, 2)) == .pass)
    #expect(comesIn(&filter, F.tcp(Self.server, 443, 16, acknowledgement: end, isInbound: true)))
    #expect(out(&filter, evil) != .pass)
    #expect(comesIn(&filter, F.tcp(Self.server, 443, 0x12, acknowledgement: 1001, isInbound: true)))
    #expect(out(&filter, evil) != .pass)
  }

  /// A beginning that the server does not take for one makes no other of the connection that it has.
  @Test(arguments: [1000, 1006, 996] as [UInt32]) func aConnectionBeginsOnce(_ sequence: UInt32) throws {
    var filter = try filter(["example.org"])
    resolve(&filter, "example.org")
    connect(&filter)
    let evil = F.hello("evil.example")
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, Array(evil.dropLast()))) == .pass)
    _ = out(&filter, F.tcp(Self.server, 443, 2, sequence: sequence))
    // Its answer to what is odd, and no new beginning.
    _ = comesIn(&filter, F.tcp(Self.server, 443, 16, acknowledgement: 1001 + UInt32(evil.count - 1), isInbound: true))
    let rest = [UInt8](repeating: 0x47, count: Int(1001 - min(sequence + 1, 1001))) + Array("GET".utf8) + evil
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: sequence + 1, rest)) != .pass)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1000 + UInt32(evil.count), [evil.last!])) != .pass)
  }

  /// What goes on by nothing that the list still has is ended; what a link began, and what is still granted, is not.
  @Test func aListThatChangesEndsWhatItTakesAway() throws {
    var filter = try filter(["example.org:443", "198.51.100.0/24", "*.example.net"])
    resolve(&filter, "example.org")
    connect(&filter)
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, F.hello("example.org"))) == .pass)
    #expect(out(&filter, F.udp(IPv4Address(0xc633_6401), 9, [1])) == .pass)
    let client = IPv4Address(0x0a00_0202)
    #expect(comesIn(&filter, F.tcp(client, 5555, 2, isInbound: true, guestPort: 80)))
    let next = F.tcp(Self.server, 443, 16, sequence: 1001 + UInt32(F.hello("example.org").count), [1])
    func change(_ change: GrantList.Change, _ text: String) -> Bool {
      var grants = filter.grants
      let isMade = grants.make(change, Array(text.utf8))
      filter.grants = grants
      return isMade
    }
    #expect(change(.allow, "other.example") && change(.remove, "*.example.net"))
    #expect(!change(.remove, "*.example.net") && !change(.allow, "a..b") && !change(.remove, "ech"))
    #expect(out(&filter, next) == .pass && out(&filter, F.udp(IPv4Address(0xc633_6401), 9, [1])) == .pass)
    #expect(change(.remove, "198.51.100.0/24") && change(.deny, "example.org"))
    #expect(isAnswered(out(&filter, next)))
    #expect(out(&filter, F.udp(IPv4Address(0xc633_6401), 9, [1])) != .pass)
    #expect(out(&filter, F.tcp(client, 5555, 0x12, guestPort: 80)) == .pass)
    resolve(&filter, "other.example", IPv4Address(0xc000_0208))
    #expect(out(&filter, F.tcp(IPv4Address(0xc000_0208), 22, 2)) == .pass)
  }

  @Test func questionsCarryNothingBesides() throws {
    var filter = try filter(["example.org"])
    let plain = F.question("example.org")
    let edns: [UInt8] = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]
    #expect(out(&filter, F.udp(F.resolver, 53, F.question("example.org", options: edns))) == .pass)
    var twice = plain
    twice[5] = 2
    var answers = plain
    answers[7] = 1
    var answer = plain
    answer[2] = 0x81
    let messages: [[UInt8]] = [plain + [1], twice, answers, answer, Array(plain.dropLast()), [], [1, 2, 3]]
    for message in messages {
      #expect(out(&filter, F.udp(F.resolver, 53, message)) == .drop)
    }
  }

  @Test func whatIsDeniedIsTakenAway() throws {
    var filter = try filter([], denied: ["192.0.2.0/24", "evil.example"], isClosed: false)
    #expect(out(&filter, F.tcp(IPv4Address(0xc633_6401), 22, 2)) == .pass)
    #expect(out(&filter, F.tcp(Self.server, 22, 2)) != .pass)
    #expect(out(&filter, F.udp(F.resolver, 53, F.question("evil.example"))) != .pass)
    #expect(out(&filter, F.udp(F.resolver, 53, F.question("good.example"))) == .pass)
    #expect(out(&filter, F.udp(IPv4Address(0x0909_0909), 53, F.question("evil.example"))) != .pass)
  }

  /// Of an open list: what has only names that are denied is not reached where they are denied.
  @Test func namesAreDeniedAtTheirPorts() throws {
    var filter = try filter([], denied: ["evil.example:80"], isClosed: false)
    let shared = IPv4Address(0xc000_0208)
    resolve(&filter, "evil.example")
    resolve(&filter, "evil.example", shared)
    resolve(&filter, "good.example", shared)
    #expect(isAnswered(out(&filter, F.tcp(Self.server, 80, 2))))
    #expect(isAnswered(out(&filter, F.udp(Self.server, 80, [1]))))
    #expect(out(&filter, F.tcp(Self.server, 81, 2)) == .pass)
    #expect(out(&filter, F.tcp(shared, 80, 2)) == .pass)
    #expect(out(&filter, F.tcp(IPv4Address(0xc000_0209), 80, 2)) == .pass)
    // What is denied later, ends.
    connect(&filter, 22)
    let next = F.tcp(Self.server, 22, 16, sequence: 1001, [1])
    #expect(out(&filter, next) == .pass)
    var grants = filter.grants
    let isDenied = grants.make(.deny, Array("evil.example".utf8))
    #expect(isDenied)
    filter.grants = grants
    #expect(isAnswered(out(&filter, next)))
    #expect(out(&filter, F.tcp(shared, 80, 16, sequence: 1001)) == .pass)
  }

  @Test func publishedPortsAreReachedAndAnswer() throws {
    var filter = try filter([])
    let client = IPv4Address(0x0a00_0202)
    #expect(comesIn(&filter, F.tcp(client, 5555, 2, isInbound: true, guestPort: 80)) == true)
    #expect(out(&filter, F.tcp(client, 5555, 0x12, guestPort: 80)) == .pass)
    #expect(out(&filter, F.tcp(client, 5555, 16, [0x16, 3, 1], guestPort: 80)) == .pass)
    #expect(comesIn(&filter, F.udp(client, 5555, [1], isInbound: true, guestPort: 53)) == true)
    #expect(out(&filter, F.udp(client, 5555, [1], guestPort: 53)) == .pass)
    #expect(out(&filter, F.udp(client, 5556, [1], guestPort: 53)) != .pass)
    // To another port nobody sends first.
    #expect(!comesIn(&filter, F.udp(client, 5555, [1], isInbound: true, guestPort: 54)))
    #expect(out(&filter, F.udp(client, 5555, [1], guestPort: 54)) != .pass)
  }

  /// A server that answers late does not grant itself.
  @Test func lateAnswersBeginNothing() throws {
    var filter = try filter(["example.org"])
    resolve(&filter, "example.org")
    #expect(out(&filter, F.udp(Self.server, 9, [1])) == .pass)
    #expect(comesIn(&filter, F.udp(Self.server, 9, [2], isInbound: true)))
    now += 181_000_000_000
    #expect(!comesIn(&filter, F.udp(Self.server, 9, [2], isInbound: true)))
    #expect(out(&filter, F.udp(Self.server, 9, [1])) != .pass)
  }

  @Test func addressResolutionIsTheCardsOwn() throws {
    var filter = try filter([])
    func arp(_ sender: UInt64, _ address: IPv4Address, _ target: IPv4Address, padding: [UInt8] = []) -> [UInt8] {
      var packet: [UInt8] = [0, 1, 8, 0, 6, 4, 0, 1]
      packet.append(number: UInt16(sender >> 32))
      packet.append(number: UInt32(truncatingIfNeeded: sender))
      packet += F.bytes(address) + [0, 0, 0, 0, 0, 0] + F.bytes(target) + padding
      return F.ethernet(0x0806, packet)
    }
    #expect(out(&filter, arp(F.card, F.guest, F.resolver)) == .pass)
    #expect(out(&filter, arp(F.card, F.guest, F.resolver, padding: [UInt8](repeating: 0, count: 18))) == .pass)
    #expect(out(&filter, arp(F.card + 1, F.guest, F.resolver)) == .drop)
    #expect(out(&filter, arp(F.card, F.resolver, F.guest)) == .drop)
    #expect(out(&filter, arp(F.card, F.guest, Self.server)) == .drop)
    #expect(out(&filter, arp(F.card, F.guest, F.resolver, padding: [1])) == .drop)
  }

  /// Whatever is asked for, the tables end.
  @Test func tablesAreBounded() throws {
    var filter = try filter(["10.0.0.0/8", "*.example.org"])
    for index in 0..<4300 as Range<UInt32> {
      #expect(out(&filter, F.udp(IPv4Address(0x0a10_0000 + index), 9, [1])) == .pass)
      now += 1
    }
    #expect(filter.flowCount <= FlowTable.limit)
    for index in 0..<2000 {
      _ = out(&filter, F.udp(F.resolver, 53, F.question("a\(index).example.org", identifier: UInt16(index))))
      _ = out(&filter, F.tcp(IPv4Address(UInt32(0x0100_0000 + index)), 1, 2))
    }
    #expect(refused.count <= 513 && refused.last == "much else, of which no more is told")
  }

  /// What is over or ending makes room before what is in use.
  @Test func connectionsInUseStayLongest() throws {
    var filter = try filter(["10.0.0.0/8"])
    let server = IPv4Address(0x0a10_0001)
    func begin(_ port: UInt16) {
      #expect(out(&filter, F.tcp(server, 22, 2, guestPort: port)) == .pass)
      #expect(comesIn(&filter, F.tcp(server, 22, 0x12, isInbound: true, guestPort: port)))
      now += 1
    }
    begin(1)
    begin(2)
    #expect(out(&filter, F.tcp(server, 22, 4, guestPort: 2)) == .pass)
    for index in 0..<UInt16(FlowTable.limit - 2) { begin(1000 + index) }
    #expect(filter.flowCount == FlowTable.limit)
    #expect(out(&filter, F.tcp(server, 22, 16, guestPort: 1)) == .pass)
    begin(3)
    // A batch has gone, and the next ones look at nothing.
    #expect(filter.flowCount == FlowTable.limit - FlowTable.batch + 1)
    #expect(isAnswered(out(&filter, F.tcp(server, 22, 16, guestPort: 1000))))
    for index in 0..<UInt16(FlowTable.batch - 1) { begin(20000 + index) }
    #expect(filter.flowCount == FlowTable.limit)
    #expect(isAnswered(out(&filter, F.tcp(server, 22, 16, guestPort: 2))))
    #expect(out(&filter, F.tcp(server, 22, 16, guestPort: 1)) == .pass)
    // Two hours later only this one is in use.
    now += 7_300_000_000_000
    #expect(out(&filter, F.tcp(server, 22, 16, guestPort: 1)) == .pass)
    now += 200_000_000_000
    begin(4)
    #expect(filter.flowCount == 2)
  }

  /// What anybody on the link may begin makes room for itself.
  @Test func datagramsPushNoConnectionsOut() throws {
    var filter = try filter(["10.0.0.0/8"])
    let server = IPv4Address(0x0a10_0001)
    for port in 0..<UInt16(100) {
      #expect(out(&filter, F.tcp(server, 22, 2, guestPort: 1000 + port)) == .pass)
      #expect(comesIn(&filter, F.tcp(server, 22, 0x12, isInbound: true, guestPort: 1000 + port)))
    }
    for index in 0..<UInt32(2 * FlowTable.limit) {
      now += 1
      let datagram = F.udp(IPv4Address(0x0a20_0000 + index), 9, [1], isInbound: true, guestPort: 53)
      #expect(comesIn(&filter, datagram))
    }
    #expect(filter.flowCount <= FlowTable.limit)
    for port in 0..<UInt16(100) { #expect(out(&filter, F.tcp(server, 22, 16, guestPort: 1000 + port)) == .pass) }
  }

  /// Hellos that nobody ends keep no other from being looked at.
  @Test func hellosMakeRoom() throws {
    var filter = try filter(["*.example.org"])
    resolve(&filter, "a.example.org")
    let half: [UInt8] = [22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc] + [UInt8](repeating: 0, count: 16000)
    func say(_ data: [UInt8], _ port: UInt16) -> EgressFilter.Verdict {
      now += 1
      #expect(out(&filter, F.tcp(Self.server, 443, 2, guestPort: port)) == .pass)
      #expect(comesIn(&filter, F.tcp(Self.server, 443, 0x12, acknowledgement: 1001, isInbound: true, guestPort: port)))
      return out(&filter, F.tcp(Self.server, 443, 16, sequence: 1001, data, guestPort: port))
    }
    for index in 0..<600 as Range<UInt16> { #expect(say(half, 1000 + index) == .pass) }
    #expect(say(F.hello("a.example.org"), 1) == .pass)
    #expect(isAnswered(say(F.hello("evil.example"), 2)))
    // The last ones are known still, the first are not.
    #expect(out(&filter, F.tcp(Self.server, 443, 16, sequence: 17010, [0], guestPort: 1599)) == .pass)
    #expect(isAnswered(out(&filter, F.tcp(Self.server, 443, 16, sequence: 17010, [0], guestPort: 1000))))
  }

  @Test func aFullListHasWhatItHas() throws {
    var grants = GrantList()
    for index in 0..<GrantList.limit {
      for (change, name) in [(.allow, "a\(index)"), (.deny, "b\(index)")] as [(GrantList.Change, String)] {
        let isMade = grants.make(change, Array("\(name).example".utf8))
        #expect(isMade)
      }
    }
    for (change, name) in [(.allow, "a0"), (.deny, "b0")] as [(GrantList.Change, String)] {
      let isKnown = grants.make(change, Array("\(name).example".utf8))
      let isNew = grants.make(change, Array("c.example".utf8))
      #expect(isKnown && !isNew)
    }
    #expect(grants.allowed.count == GrantList.limit && grants.denied.count == GrantList.limit)
  }

  @Test(arguments: [
    "", "/tcp", ":443", "a:0", "a:65536", "a:x", "10.0.0.0/33", "10.0.0/8", "1.2.3.4.5", "256.1.1.1", "a..b", ".a",
    "a b",
    "*", "a.*", "*.*.a", "10.0.0.1/8/tcp/udp", "10.0.0.1/udp/tcp",
    "a.example/udp/tcp", "a.example/tcp/tcp", "[::1]:80", "::1", "a/8", "example.1",
  ]) func whatIsNoGrantIsNone(_ text: String) { #expect(Grant(Array(text.utf8)) == nil) }

  @Test func grantsAreReadAsTheyAreMeant() throws {
    func grant(_ text: String) throws -> Grant { try #require(Grant(Array(text.utf8))) }
    #expect(try grant("10.0.0.0/8:5432/tcp").port == 5432)
    #expect(try grant("10.0.0.0/8:5432/tcp").covers(IPv4Address(0x0aff_ffff)))
    #expect(try !grant("10.0.0.0/8").covers(IPv4Address(0x0b00_0000)))
    #expect(try grant("0.0.0.0/0/udp").covers(IPv4Address(UInt32.max)))
    #expect(try grant("Example.ORG.").covers(try #require(DomainName("example.org".utf8))))
    #expect(try !grant("*.example.org").covers(try #require(DomainName("example.org".utf8))))
    #expect(try grant("*.example.org").covers(try #require(DomainName("a.b.example.org".utf8))))
  }
}

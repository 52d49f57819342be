/// A question to a name server (RFC 1035, 4.1), as resolvers of hosts ask it: one, with nothing besides but EDNS (RFC 6891).
struct DNSQuestion {
  let identifier: UInt16
  let name: DomainName
  let kind: UInt16
  /// The bytes of the question itself, behind the header.
  let end: Int

  static let headerSize = 12
  static let address: UInt16 = 1  // A
  static let alias: UInt16 = 5  // CNAME
  static let address6: UInt16 = 28  // AAAA
  static let bindings: ClosedRange<UInt16> = 64...65  // SVCB, HTTPS
  private static let options: UInt16 = 41  // OPT
  /// What EDNS may carry along; cookies are 40.
  private static let maximumOptions = 64

  /// - Parameter message: all of a datagram's data.
  init?(_ message: Span<UInt8>, isAnswer: Bool = false) {
    guard let identifier = message.number(UInt16.self, at: 0), let flags = message.number(UInt16.self, at: 2),
      // QR, and no OPCODE.
      flags & 0xf800 == (isAnswer ? 0x8000 : 0), message.number(UInt16.self, at: 4) == 1
    else { return nil }
    guard let (name, next) = Self.name(message, at: Self.headerSize), let kind = message.number(UInt16.self, at: next),
      message.number(UInt16.self, at: next + 2) == 1  // IN
    else { return nil }
    self.identifier = identifier
    self.name = name
    self.kind = kind
    end = next + 4
    if isAnswer { return }
    // QUERY alone: what else may be asked there says more than a name.
    guard flags & 0x0200 == 0, message.number(UInt32.self, at: 6) == 0,
      let further = message.number(UInt16.self, at: 10)
    else { return nil }
    switch further {
    case 0: guard end == message.count else { return nil }
    case 1:
      guard message.number(UInt8.self, at: end) == 0, message.number(UInt16.self, at: end + 1) == Self.options,
        let length = message.number(UInt16.self, at: end + 9), Int(length) <= Self.maximumOptions,
        end + 11 + Int(length) == message.count
      else { return nil }
    default: return nil
    }
  }

  /// An answer without records.
  ///
  /// - Parameter code: RCODE: 0 for none of this kind, 5 for refused.
  func answer(_ message: Span<UInt8>, code: UInt16) -> [UInt8] {
    var answer: [UInt8] = []
    answer.append(number: identifier)
    // QR, RA, and RD as it was asked.
    answer.append(number: 0x8080 | (message.number(UInt16.self, at: 2) ?? 0) & 0x0100 | code)
    answer.append(number: UInt16(1))
    answer += [0, 0, 0, 0, 0, 0]
    answer += message.bytes(Self.headerSize..<end)
    return answer
  }

  /// A name with the pointers in it followed, each of which leads back; and where its bytes end. The root has none.
  static func name(_ message: Span<UInt8>, at start: Int) -> (name: DomainName, next: Int)? {
    var text: [UInt8] = []
    var at = start
    var next: Int?
    var lowest = start
    while let length = message.number(UInt8.self, at: at) {
      switch length {
      case 0:
        guard let name = DomainName(text) else { return nil }
        return (name, next ?? at + 1)
      case 1...63:
        guard at + 1 + Int(length) <= message.count, text.count + Int(length) + 1 <= 255 else { return nil }
        if !text.isEmpty { text.append(0x2e) }
        for index in at + 1...at + Int(length) {
          // A dot within a label would make another name of it.
          guard message[index] != 0x2e else { return nil }
          text.append(message[index])
        }
        at += 1 + Int(length)
      case 0xc0...:
        guard let low = message.number(UInt8.self, at: at + 1) else { return nil }
        let target = Int(length & 0x3f) << 8 | Int(low)
        guard target < lowest, target >= headerSize else { return nil }
        if next == nil { next = at + 2 }
        lowest = target
        at = target
      default: return nil
      }
    }
    return nil
  }
}

/// The addresses of a name server's answer.
struct DNSAnswer {
  /// Each with the seconds for which it is one.
  private(set) var addresses: [(address: IPv4Address, seconds: UInt32)] = []

  /// More than servers give, and all aliases that are followed.
  private static let maximumRecords = 64

  /// Of `question`, which stands in the message itself, and of the aliases that lead from its name to others.
  init(_ message: Span<UInt8>, _ question: DNSQuestion) {
    guard let flags = message.number(UInt16.self, at: 2), flags & 0x000f == 0,
      let count = message.number(UInt16.self, at: 6)
    else { return }
    var names: Set<DomainName> = [question.name]
    var at = question.end
    for _ in 0..<min(Int(count), Self.maximumRecords) {
      // Names that no host has own none of what matters here, but take their room.
      guard let next = Self.skipName(message, at: at), let kind = message.number(UInt16.self, at: next),
        let seconds = message.number(UInt32.self, at: next + 4), let length = message.number(UInt16.self, at: next + 8)
      else { return }
      let data = next + 10
      guard data + Int(length) <= message.count else { return }
      if let owner = DNSQuestion.name(message, at: at)?.name, names.contains(owner) {
        if kind == DNSQuestion.alias, let target = DNSQuestion.name(message, at: data) {
          names.insert(target.name)
        } else if kind == DNSQuestion.address, length == 4, let value = message.number(UInt32.self, at: data) {
          addresses.append((IPv4Address(value), seconds))
        }
      }
      at = data + Int(length)
    }
  }

  private static func skipName(_ message: Span<UInt8>, at start: Int) -> Int? {
    var at = start
    while let length = message.number(UInt8.self, at: at) {
      if length == 0 { return at + 1 }
      if length >= 0xc0 { return at + 2 }
      if length > 63 { return nil }
      at += 1 + Int(length)
    }
    return nil
  }
}

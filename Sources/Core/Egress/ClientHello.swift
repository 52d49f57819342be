/// The first message of TLS (RFC 8446, 4.1.2), as far as it says which server is meant (RFC 6066, 3).
enum ClientHello: Equatable {
  /// So far it may be one.
  case incomplete
  /// Not TLS.
  case other
  /// TLS, and nothing that can be read.
  case malformed
  /// Nil if it names none.
  case complete(name: DomainName?, isHidden: Bool)

  private static let records: ClosedRange<UInt8> = 20...24
  private static let handshake: UInt8 = 22
  private static let clientHello: UInt8 = 1
  private static let serverName: UInt16 = 0
  private static let encryptedHello: UInt16 = 0xfe0d  // RFC 9849
  /// A record's most, and more than any client sends.
  static let limit = 16384

  /// - Parameter stream: the client's bytes from the first one on.
  init(_ stream: [UInt8]) {
    guard let first = stream.first else {
      self = .incomplete
      return
    }
    guard first == Self.handshake else {
      // Servers pass over an alert before it, and would read what we took for no TLS (RFC 8446, 5.1: 20 to 24 are records).
      if Self.records.contains(first) {
        self = stream.count < 2 ? .incomplete : stream[1] == 3 ? .malformed : .other
      } else {
        self = .other
      }
      return
    }
    var message: [UInt8] = []
    var at = 0
    // A message may be cut into several records (RFC 8446, 5.1). What is behind it, such as early data (4.2.10), is no part of it.
    while at < stream.count, !Self.isWhole(message) {
      guard stream[at] == Self.handshake, at + 1 >= stream.count || stream[at + 1] == 3 else {
        self = .malformed
        return
      }
      guard at + 5 <= stream.count else { break }
      let length = Int(stream[at + 3]) << 8 | Int(stream[at + 4])
      guard length > 0, length <= Self.limit else {
        self = .malformed
        return
      }
      message += stream[(at + 5)..<min(at + 5 + length, stream.count)]
      at += 5 + length
    }
    self = Self.read(message.span)
  }

  private static func isWhole(_ message: [UInt8]) -> Bool {
    guard let word = message.span.number(UInt32.self, at: 0) else { return false }
    return message.count >= 4 + Int(word & 0xff_ffff)
  }

  private static func read(_ message: Span<UInt8>) -> ClientHello {
    guard let kind = message.number(UInt8.self, at: 0) else { return .incomplete }
    guard kind == clientHello else { return .malformed }
    guard let word = message.number(UInt32.self, at: 0) else { return .incomplete }
    let length = Int(word & 0xff_ffff)
    guard length <= limit else { return .malformed }
    guard message.count >= 4 + length else { return .incomplete }
    // One message and no other behind it.
    guard message.count == 4 + length else { return .malformed }
    // legacy_version, random, then three lists.
    var at = 4 + 2 + 32
    for size in [1, 2, 1] {
      guard let next = skipList(message, at: at, lengthSize: size) else { return .malformed }
      at = next
    }
    if at == message.count { return .complete(name: nil, isHidden: false) }
    guard let end = skipList(message, at: at, lengthSize: 2), end == message.count else { return .malformed }
    at += 2
    var name: DomainName?
    var hasName = false
    var isHidden = false
    while at < end {
      guard let kind = message.number(UInt16.self, at: at), let next = skipList(message, at: at + 2, lengthSize: 2),
        next <= end
      else { return .malformed }
      if kind == serverName {
        guard !hasName, let found = readName(message, at + 4..<next) else { return .malformed }
        hasName = true
        name = found
      }
      if kind == encryptedHello { isHidden = true }
      at = next
    }
    return .complete(name: name, isHidden: isHidden)
  }

  /// The only entry of a list of names, of kind host_name.
  private static func readName(_ message: Span<UInt8>, _ range: Range<Int>) -> DomainName? {
    guard range.count >= 5, let list = message.number(UInt16.self, at: range.lowerBound), Int(list) == range.count - 2,
      message.number(UInt8.self, at: range.lowerBound + 2) == 0,
      let length = message.number(UInt16.self, at: range.lowerBound + 3), Int(length) == range.count - 5
    else { return nil }
    return DomainName(message.bytes(range.lowerBound + 5..<range.upperBound))
  }

  /// Where a list ends whose length precedes it.
  private static func skipList(_ message: Span<UInt8>, at start: Int, lengthSize: Int) -> Int? {
    let length: Int
    if lengthSize == 1 {
      guard let value = message.number(UInt8.self, at: start) else { return nil }
      length = Int(value)
    } else {
      guard let value = message.number(UInt16.self, at: start) else { return nil }
      length = Int(value)
    }
    let end = start + lengthSize + length
    return end <= message.count ? end : nil
  }
}

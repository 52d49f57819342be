/// The first line of a client: `CONNECT <port>\n`.
enum ConnectRequest: Equatable {
  /// A port, and the length of the line.
  case port(UInt32, length: Int)
  /// No whole line yet.
  case incomplete
  case malformed

  /// The longest line, with its end.
  static let limit = 32

  init(_ bytes: [UInt8]) {
    let word = Array("CONNECT ".utf8)
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")) else {
      let isBeginning = bytes.count < Self.limit && zip(word, bytes).allSatisfy { $0 == $1 }
      self = isBeginning ? .incomplete : .malformed
      return
    }
    let digits = bytes[..<end].dropFirst(word.count)
    guard end < Self.limit, bytes.starts(with: word), !digits.isEmpty, digits.count <= 10 else {
      self = .malformed
      return
    }
    var port: UInt64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else {
        self = .malformed
        return
      }
      port = port * 10 + UInt64(digit - UInt8(ascii: "0"))
    }
    // The last number means any port, so none.
    guard port < UInt64(UInt32.max) else {
      self = .malformed
      return
    }
    self = .port(UInt32(port), length: end + 1)
  }
}

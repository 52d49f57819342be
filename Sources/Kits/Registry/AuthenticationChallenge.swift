/// What a server wants to know of its client (RFC 9110, 11.6.1: `WWW-Authenticate`).
package struct AuthenticationChallenge: Equatable, Sendable {
  /// In lower case.
  package var scheme: String
  /// By their names in lower case.
  package var parameters: [String: String]

  package init(scheme: String, parameters: [String: String]) {
    self.scheme = scheme
    self.parameters = parameters
  }

  /// All challenges of a field's value, as far as it can be read.
  package static func all(in value: String) -> [AuthenticationChallenge] {
    var challenges: [AuthenticationChallenge] = []
    var rest = value.utf8[...]
    guard value.utf8.count <= 8192 else { return [] }

    func skip(_ isPassed: (UInt8) -> Bool) {
      while let byte = rest.first, isPassed(byte) { rest = rest.dropFirst() }
    }
    func token() -> String? {
      let word = rest.prefix { isToken($0) }
      guard !word.isEmpty else { return nil }
      rest = rest.dropFirst(word.count)
      return String(decoding: word, as: UTF8.self)
    }

    while true {
      skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: ",") }
      guard let word = token() else { break }
      let before = rest
      skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      guard rest.first == UInt8(ascii: "="), !challenges.isEmpty else {
        guard challenges.count < 16 else { break }
        challenges.append(AuthenticationChallenge(scheme: word.lowercased(), parameters: [:]))
        rest = before
        continue
      }
      rest = rest.dropFirst()
      skip { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      var text: [UInt8] = []
      if rest.first == UInt8(ascii: "\"") {
        rest = rest.dropFirst()
        while let byte = rest.first, byte != UInt8(ascii: "\"") {
          rest = rest.dropFirst()
          if byte == UInt8(ascii: "\\"), let escaped = rest.first {
            rest = rest.dropFirst()
            text.append(escaped)
          } else {
            text.append(byte)
          }
        }
        guard !rest.isEmpty else { break }
        rest = rest.dropFirst()
      } else {
        text = Array((token() ?? "").utf8)
      }
      let last = challenges.count - 1
      guard challenges[last].parameters.count < 16 else { break }
      challenges[last].parameters[word.lowercased()] = String(decoding: text, as: UTF8.self)
    }
    return challenges
  }

  private static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "!#$%&'*+-.^_`|~/:".utf8.contains(byte)
    }
  }
}

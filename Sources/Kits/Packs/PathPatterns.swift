/// Which paths of a source become part of a pack.
///
/// A pattern without a slash is for names at any depth, one with a slash for paths from the top (`/bin`, `usr/share/doc`).
/// `*` and `?` do not match slashes, `**` does, `[a-z]` and `[!a-z]` match one byte, `\` takes the next byte as it is. What
/// matches brings all beneath it. Excluding wins over including.
package struct PathPatterns: Equatable, Sendable {
  private struct Pattern: Equatable, Sendable {
    var tokens: [Token]
    var isName: Bool
  }

  private enum Token: Equatable, Sendable {
    case byte(UInt8)
    case any
    case star
    case stars
    case set([ClosedRange<UInt8>], negated: Bool)
  }

  private let includes: [Pattern]
  private let excludes: [Pattern]

  package init(include: [[UInt8]] = [], exclude: [[UInt8]] = []) throws(PackError) {
    var includes: [Pattern] = []
    for pattern in include { includes.append(try Self.parse(pattern)) }
    var excludes: [Pattern] = []
    for pattern in exclude { excludes.append(try Self.parse(pattern)) }
    self.includes = includes
    self.excludes = excludes
  }

  package enum Verdict: Equatable, Sendable {
    case taken
    /// Not itself, but what is beneath it may be: a directory is looked into, and kept if something is found.
    case maybe
    case left
  }

  /// - Parameters:
  ///   - path: from the top, without a slash before it.
  ///   - isIncluded: whether a directory above it was taken by a pattern.
  package func verdict(_ path: [UInt8], isIncluded: Bool) -> Verdict {
    if excludes.contains(where: { Self.matches($0, path) }) { return .left }
    if includes.isEmpty || isIncluded || includes.contains(where: { Self.matches($0, path) }) { return .taken }
    return .maybe
  }

  /// Whether a path is taken, by itself or by a directory that it is in.
  package func take(_ path: [UInt8]) -> Bool {
    if includes.isEmpty && excludes.isEmpty { return true }
    var isIncluded = false
    for end in path.indices where path[end] == Self.slash {
      switch verdict(Array(path[..<end]), isIncluded: isIncluded) {
      case .left: return false
      case .taken: isIncluded = true
      case .maybe: break
      }
    }
    return verdict(path, isIncluded: isIncluded) == .taken
  }

  // MARK: Patterns

  private static func parse(_ text: [UInt8]) throws(PackError) -> Pattern {
    var bytes = text[...]
    if bytes.last == slash { bytes = bytes.dropLast() }
    let isName = !bytes.contains(slash)
    while bytes.first == slash { bytes = bytes.dropFirst() }
    guard !bytes.isEmpty else { throw .pattern(String(decoding: text, as: UTF8.self)) }
    var tokens: [Token] = []
    while let byte = bytes.popFirst() {
      switch byte {
      case UInt8(ascii: "*"):
        if tokens.last == .star {
          tokens[tokens.count - 1] = .stars
        } else if tokens.last != .stars {
          tokens.append(.star)
        }
      case UInt8(ascii: "?"): tokens.append(.any)
      case UInt8(ascii: "\\"): tokens.append(.byte(bytes.popFirst() ?? byte))
      case UInt8(ascii: "["):
        guard let set = set(&bytes) else { throw .pattern(String(decoding: text, as: UTF8.self)) }
        tokens.append(set)
      default: tokens.append(.byte(byte))
      }
    }
    return Pattern(tokens: tokens, isName: isName)
  }

  private static func set(_ bytes: inout ArraySlice<UInt8>) -> Token? {
    let isNegated = bytes.first == UInt8(ascii: "!") || bytes.first == UInt8(ascii: "^")
    if isNegated { bytes = bytes.dropFirst() }
    var ranges: [ClosedRange<UInt8>] = []
    while let low = bytes.popFirst() {
      if low == UInt8(ascii: "]"), !ranges.isEmpty { return .set(ranges, negated: isNegated) }
      if bytes.first == UInt8(ascii: "-"), let high = bytes.dropFirst().first, high != UInt8(ascii: "]") {
        bytes = bytes.dropFirst(2)
        guard low <= high else { return nil }
        ranges.append(low...high)
      } else {
        ranges.append(low...low)
      }
    }
    return nil
  }

  private static func matches(_ pattern: Pattern, _ path: [UInt8]) -> Bool {
    let start = pattern.isName ? (path.lastIndex(of: slash).map { $0 + 1 } ?? 0) : 0
    return matches(pattern.tokens, Array(path[start...]))
  }

  /// All places in the pattern where the text so far may have led, at once: no pattern takes longer than its length times
  /// the text's.
  private static func matches(_ tokens: [Token], _ text: [UInt8]) -> Bool {
    var states = [Bool](repeating: false, count: tokens.count + 1)
    states[0] = true
    func skipStars(_ states: inout [Bool]) {
      for index in tokens.indices where states[index] && (tokens[index] == .star || tokens[index] == .stars) {
        states[index + 1] = true
      }
    }
    skipStars(&states)
    for byte in text {
      var next = [Bool](repeating: false, count: tokens.count + 1)
      for index in tokens.indices where states[index] {
        switch tokens[index] {
        case .byte(let wanted): if byte == wanted { next[index + 1] = true }
        case .any: if byte != slash { next[index + 1] = true }
        case .star: if byte != slash { next[index] = true }
        case .stars: next[index] = true
        case .set(let ranges, let isNegated):
          if byte != slash, ranges.contains(where: { $0.contains(byte) }) != isNegated { next[index + 1] = true }
        }
      }
      skipStars(&next)
      states = next
    }
    return states[tokens.count]
  }

  private static let slash = UInt8(ascii: "/")
}

/// A kernel release, ordered as versions are: digits by value, `-rc` before the release that it leads to.
package struct KernelRelease: Comparable {
  package let text: String
  private let parts: [Part]

  private enum Part: Equatable {
    case number(digits: Substring)
    case word(Substring)
  }

  package init(_ text: String) {
    self.text = text
    var parts: [Part] = []
    var rest = Substring(text)
    while let first = rest.first {
      let digits = first.isASCIIDigit
      let part = rest.prefix { $0.isASCIIDigit == digits }
      rest = rest[part.endIndex...]
      // Without its zeroes in front, the longer number is the larger.
      parts.append(digits ? .number(digits: part.drop { $0 == "0" }) : .word(part))
    }
    self.parts = parts
  }

  package static func == (one: Self, other: Self) -> Bool { one.text == other.text }

  package static func < (one: Self, other: Self) -> Bool {
    for index in 0..<max(one.parts.count, other.parts.count) {
      switch order(one.part(index), other.part(index)) {
      case 0: continue
      case let order: return order < 0
      }
    }
    // Equal but for zeroes: still one order.
    return one.text < other.text
  }

  private func part(_ index: Int) -> Part? { index < parts.count ? parts[index] : nil }

  private static func order(_ one: Part?, _ other: Part?) -> Int {
    switch (one, other) {
    case (nil, nil): return 0
    case (nil, .some(let other)): return isCandidate(other) ? 1 : -1
    case (.some(let one), nil): return isCandidate(one) ? -1 : 1
    case (.number(let one), .number(let other)):
      return one.count != other.count ? sign(one.count < other.count) : one == other ? 0 : sign(one < other)
    case (.word(let one), .word(let other)):
      if one == other { return 0 }
      let candidates = (isCandidate(.word(one)), isCandidate(.word(other)))
      if candidates.0 != candidates.1 { return sign(candidates.0) }
      return sign(one < other)
    case (.number, .word(let other)): return isCandidate(.word(other)) ? 1 : -1
    case (.word(let one), .number): return isCandidate(.word(one)) ? -1 : 1
    }
  }

  private static func isCandidate(_ part: Part) -> Bool {
    if case .word(let word) = part { return word == "-rc" || word == "~rc" }
    return false
  }

  private static func sign(_ less: Bool) -> Int { less ? -1 : 1 }
}

extension Character {
  fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}

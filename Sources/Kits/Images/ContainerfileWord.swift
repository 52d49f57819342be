/// A word of a Containerfile's line, with the variables that its image is to fill in: `$NAME` and `${NAME}`.
package struct ContainerfileWord: Equatable, Sendable, ExpressibleByStringLiteral {
  private enum Piece: Equatable, Sendable {
    case text(String)
    case variable(String)
  }

  private var pieces: [Piece] = []

  private init() {}

  /// Without variables.
  package init(_ text: String) { append(.text(text)) }

  package init(stringLiteral text: String) { self.init(text) }

  private mutating func append(_ piece: Piece) {
    if case .text("") = piece { return }
    if case .text(let more) = piece, case .text(let text)? = pieces.last {
      pieces[pieces.count - 1] = .text(text + more)
    } else {
      pieces.append(piece)
    }
  }

  // MARK: What is in it

  /// nil if it has variables.
  var literal: String? {
    if pieces.isEmpty { return "" }
    guard pieces.count == 1, case .text(let text) = pieces[0] else { return nil }
    return text
  }

  /// As it may be written.
  var source: String { text { "${\($0)}" } }

  /// With the values of variables, of which others are empty, as Docker has it.
  ///
  /// - Parameter environment: `NAME=VALUE` each.
  func expanded(_ environment: [String]) -> String {
    text { name in
      let start = "\(name)="
      return environment.first { $0.hasPrefix(start) }.map { String($0.dropFirst(start.count)) } ?? ""
    }
  }

  private func text(_ value: (String) -> String) -> String {
    pieces.reduce(into: "") { text, piece in
      switch piece {
      case .text(let words): text += words
      case .variable(let name): text += value(name)
      }
    }
  }

  // MARK: Parsing

  /// Words with spaces between them, in which quotes and backslashes keep spaces and `$` as a shell's do.
  ///
  /// - Parameter splits: whether spaces end a word; it is one otherwise.
  /// - Returns: nil where a quote has no end, or a `$` is a shell's for something else than a variable.
  static func words(_ text: Substring, splits: Bool = true) -> [ContainerfileWord]? {
    var words: [ContainerfileWord] = []
    var word: ContainerfileWord?
    var quote: Character?
    var text = text
    func add(_ piece: Piece) {
      var longer = word ?? ContainerfileWord()
      longer.append(piece)
      word = longer
    }
    while let character = text.popFirst() {
      if character == "\\", quote != "'", let next = text.popFirst() {
        add(.text(String(next)))
      } else if character == quote {
        quote = nil
      } else if quote == nil, character == "\"" || character == "'" {
        (quote, word) = (character, word ?? ContainerfileWord())
      } else if splits, quote == nil, character.isWhitespace {
        if let word { words.append(word) }
        word = nil
      } else if character == "$", quote != "'" {
        guard let piece = variable(&text) else { return nil }
        add(piece)
      } else {
        add(.text(String(character)))
      }
    }
    if let word { words.append(word) }
    return quote == nil ? words : nil
  }

  /// What stands behind a `$`; one that nothing of a variable's follows is itself. nil for what a shell does besides (`$1`,
  /// `${NAME:-WORD}`).
  private static func variable(_ text: inout Substring) -> Piece? {
    let isBraced = text.first == "{"
    if isBraced { text.removeFirst() }
    let name = text.prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) }
    guard name.first?.isNumber != true else { return nil }
    text.removeFirst(name.count)
    if isBraced { return !name.isEmpty && text.popFirst() == "}" ? .variable(String(name)) : nil }
    if !name.isEmpty { return .variable(String(name)) }
    return text.first.map { "@*#?-$!".contains($0) } == true ? nil : .text("$")
  }
}

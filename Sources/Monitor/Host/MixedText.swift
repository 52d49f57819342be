/// Bytes that are mostly UTF-8, as the scalars that they encode and the single bytes that encode none.
package struct MixedText: Sequence, IteratorProtocol {
  package enum Piece: Equatable {
    case scalar(Unicode.Scalar)
    case byte(UInt8)
  }

  private let bytes: [UInt8]
  private var index = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package mutating func next() -> Piece? {
    guard index < bytes.count else { return nil }
    var decoder = UTF8()
    var rest = bytes[index...].makeIterator()
    guard case .scalarValue(let scalar) = decoder.decode(&rest) else {
      defer { index += 1 }
      return .byte(bytes[index])
    }
    index += UTF8.width(scalar)
    return .scalar(scalar)
  }
}

extension String {
  /// One line for people of what may be any bytes: text as it is, and `\x1b` in place of what is none, or would move a
  /// terminal's cursor.
  package init(printable bytes: [UInt8]) {
    self = ""
    for piece in MixedText(bytes) {
      switch piece {
      case .scalar(let scalar) where scalar.isPrintable: unicodeScalars.append(scalar)
      case .scalar(let scalar):
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { append(escape: byte) }
      case .byte(let byte): append(escape: byte)
      }
    }
  }

  private mutating func append(escape byte: UInt8) {
    let digits = String(byte, radix: 16)
    self += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
  }
}

extension Unicode.Scalar {
  /// No control character (C0, DEL, C1), no separator of lines, and none that turns the direction of text.
  fileprivate var isPrintable: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0, 0x2028...0x202e, 0x2066...0x2069: false
    default: true
    }
  }
}

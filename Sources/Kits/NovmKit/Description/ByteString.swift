import Glibc
import Host

/// Carries any bytes through a Swift `String`, and back unchanged.
///
/// File names, arguments and environment are bytes in Linux, but option parsers work on strings, and a string would
/// replace what is not UTF-8. Such bytes travel as the last 256 code points of a private plane, as Python's
/// `surrogateescape` (PEP 383) does with code points that a Swift string cannot hold.
package enum ByteString {
  private static let base: UInt32 = 0x10_FF00

  /// The string that stands for these bytes.
  package static func string(_ bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for piece in MixedText(bytes) {
      switch piece {
      case .scalar(let scalar) where scalar.value < base: text.append(scalar)
      case .scalar(let scalar):
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { text.append(standIn(byte)) }
      case .byte(let byte): text.append(standIn(byte))
      }
    }
    return String(text)
  }

  /// The bytes that a string stands for.
  package static func bytes(_ string: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(string.utf8.count)
    for scalar in string.unicodeScalars {
      if scalar.value >= base, let byte = UInt8(exactly: scalar.value - base) {
        bytes.append(byte)
      } else {
        bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
      }
    }
    return bytes
  }

  /// One line for people of a string that may hold such bytes.
  package static func printable(_ string: String) -> String { String(printable: bytes(string)) }

  /// 0x10FF00...0x10FFFF are all scalar values, so the fallback is never taken.
  private static func standIn(_ byte: UInt8) -> Unicode.Scalar {
    Unicode.Scalar(base + UInt32(byte)) ?? "\u{FFFD}"
  }

  /// This process's arguments, without its name.
  package static func arguments() -> [String] { ProcessArguments.words.map(string) }

  /// A variable of this process's environment.
  package static func environment(_ name: String) -> [UInt8]? {
    let name = bytes(name) + [0]
    return unsafe name.withUnsafeBytes { name in
      // Never null: there is at least the NUL. What getenv(3) gives ends with one too.
      guard let value = unsafe getenv(name.baseAddress!.assumingMemoryBound(to: CChar.self)) else { return nil }
      return unsafe UnsafeRawBufferPointer(start: value, count: strlen(value)).map { $0 }
    }
  }
}

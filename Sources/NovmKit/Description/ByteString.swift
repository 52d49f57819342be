import Glibc

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
    var decoder = UTF8()
    var index = 0
    while index < bytes.count {
      var rest = bytes[index...].makeIterator()
      switch decoder.decode(&rest) {
      case .scalarValue(let scalar) where scalar.value < base:
        text.append(scalar)
        index += UTF8.width(scalar)
      case .scalarValue, .error, .emptyInput:
        text.append(standIn(bytes[index]))
        index += 1
      }
      decoder = UTF8()
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

  /// 0x10FF00...0x10FFFF are all scalar values, so the fallback is never taken.
  private static func standIn(_ byte: UInt8) -> Unicode.Scalar {
    Unicode.Scalar(base + UInt32(byte)) ?? "\u{FFFD}"
  }

  /// This process's arguments, without its name.
  package static func arguments() -> [String] {
    var arguments: [String] = []
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = unsafe CommandLine.unsafeArgv[index] else { break }
      arguments.append(string(unsafe bytes(atCString: argument)))
    }
    return arguments
  }

  /// A variable of this process's environment.
  package static func environment(_ name: String) -> [UInt8]? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe bytes(atCString: value)
  }

  private static func bytes(atCString string: UnsafePointer<CChar>) -> [UInt8] {
    unsafe UnsafeRawBufferPointer(start: string, count: strlen(string)).map { $0 }
  }
}

import Host

/// Keeps what a program says on standard error, up to a few lines of it.
final class ErrorText: ImmediateOutput {
  private var bytes: [UInt8] = []

  func write(_ more: ArraySlice<UInt8>) {
    bytes += more
    if bytes.count > Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
  }

  /// Its last line, for a person; nil if it said nothing.
  var lastLine: String? {
    bytes.split(separator: UInt8(ascii: "\n")).last.map { String(printable: Array($0)) }
  }

  /// The end of it, for a person.
  var text: String {
    bytes.suffix(4096).split(separator: UInt8(ascii: "\n")).map { String(printable: Array($0)) + "\n" }.joined()
  }

  func clear() { bytes = [] }

  private static let limit = 16 << 10
}

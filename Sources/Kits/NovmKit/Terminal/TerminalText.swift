import Host

/// What others wrote, made fit for a terminal: lines and tabs stay, and so does text; what would move the cursor, change
/// colours, ask the terminal to answer, or hide what stands there, is shown as `\x1b`, as ``Swift/String/init(printable:)``
/// has it.
package struct TerminalText {
  /// The beginning of a character, or a carriage return, whose rest is still to come.
  private var held: [UInt8] = []

  package init() {}

  /// - Returns: what can be shown now.
  package mutating func take(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var all = held + bytes
    let count = Self.unfinished(all)
    held = Array(all.suffix(count))
    all.removeLast(count)
    return Self.shown(all)
  }

  /// Nothing follows.
  package mutating func finish() -> [UInt8] {
    defer { held = [] }
    return Self.shown(held)
  }

  private static func shown(_ bytes: [UInt8]) -> [UInt8] {
    var shown: [UInt8] = []
    shown.reserveCapacity(bytes.count)
    var start = 0
    for (index, byte) in bytes.enumerated() where byte == newline || byte == tab {
      // A terminal returns by itself at a newline.
      let end = byte == newline && index > start && bytes[index - 1] == carriageReturn ? index - 1 : index
      shown += String(printable: Array(bytes[start..<end])).utf8
      shown.append(byte)
      start = index + 1
    }
    shown += String(printable: Array(bytes[start...])).utf8
    return shown
  }

  /// How many of the last bytes may be the beginning of more.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    if bytes.last == carriageReturn { return 1 }
    for (count, byte) in zip(1...3, bytes.reversed()) where byte >= 0xc0 {
      // The Unicode Standard, table 3-6: the first byte tells how many there are.
      let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return byte < 0xf8 && count < length ? count : 0
    }
    return 0
  }

  private static let newline = UInt8(ascii: "\n")
  private static let tab = UInt8(ascii: "\t")
  private static let carriageReturn = UInt8(ascii: "\r")
}

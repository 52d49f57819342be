import CHypercall
import HypercallABI
import UserRuntime

/// What a program says: on COM1 line by line behind its number; or, where it has streams of its own, on COM2 and COM3.
final class Output {
  private let number: UInt64
  private let hasStreams: Bool
  private let until: [UInt8]
  private var line: [UInt8] = []
  /// How much of `until` the last bytes are.
  private var matched = 0
  private static let lineLimit = 512

  /// Programs are on several processors, and their handlers with them. A handler that is ended must not have it.
  static let lock = SpinLock()

  init(_ number: UInt64, _ section: Section) {
    self.number = number
    hasStreams = section.hasStreams
    until = section.until
  }

  /// Takes a message of it. Returns whether it says what is waited for.
  func take(_ block: MessageBlock) -> Bool {
    let stream = block.word(0) >> 32
    let count = Int(min(block.word(0) & 0xffff_ffff, UInt64(Grants.outputLimit)))
    var isFound = false
    for byte in block.bytes(count, at: 1) {
      if matches(byte) { isFound = true }
      if hasStreams, stream != Grants.console {
        Console.put(byte, to: stream == Grants.standardOutput ? Console.second : Console.third)
      } else {
        if byte == 10 || line.count == Self.lineLimit { show() }
        if byte != 10, byte != 13 { line.append(byte) }
      }
    }
    return isFound
  }

  /// Shows the last line, which nothing has ended.
  func flush() {
    if !line.isEmpty { show() }
    matched = 0
  }

  private func show() {
    Console.put(UInt8(ascii: "["))
    Console.write(number)
    Console.write("] ")
    Console.write(line)
    Console.put(10)
    line.removeAll(keepingCapacity: true)
  }

  /// Good enough for words that do not begin twice.
  private func matches(_ byte: UInt8) -> Bool {
    guard !until.isEmpty else { return false }
    matched = byte == until[matched] ? matched + 1 : byte == until[0] ? 1 : 0
    guard matched == until.count else { return false }
    matched = 0
    return true
  }
}

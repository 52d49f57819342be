import Glibc
import NovmKit

/// Standard output or standard error, for what a machine wrote.
final class ForeignOutput {
  private let descriptor: Int32
  /// Of what goes to a terminal.
  private var text: TerminalText?

  /// - Parameter isRaw: whether a terminal gets it as it is.
  init(_ descriptor: Int32, isRaw: Bool) {
    self.descriptor = descriptor
    text = !isRaw && isatty(descriptor) == 1 ? TerminalText() : nil
  }

  /// Whether bytes are changed on the way.
  var isFiltered: Bool { text != nil }

  /// Writes it all.
  func write(_ bytes: [UInt8]) throws { try writeAll(text?.take(bytes) ?? bytes) }

  /// Nothing follows.
  func finish() throws { try writeAll(text?.finish() ?? []) }

  private func writeAll(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw NovmError.output(.current) }
      rest = rest.dropFirst(count)
    }
  }
}

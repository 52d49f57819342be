import CHypercall
import HypercallABI
import UserRuntime

/// What the machine says, and its end, by portals to the root task. By the message block of whoever handles an exit, whose state
/// is put back.
final class Output {
  private var saved = InlineArray<512, UInt64>(repeating: 0)
  /// Bytes of the console's that are a line when it ends.
  private var line: [UInt8] = []

  func console(_ byte: UInt8, _ block: MessageBlock) {
    line.append(byte)
    if byte == 10 || line.count == 512 { flush(block) }
  }

  /// Tells what there is of a line.
  func flush(_ block: MessageBlock) {
    guard !line.isEmpty else { return }
    write(line[...], to: Grants.console, block)
    line.removeAll(keepingCapacity: true)
  }

  func write(_ bytes: ArraySlice<UInt8>, to stream: UInt64, _ block: MessageBlock) {
    for index in 0..<512 { saved[index] = block[index * 8] }
    var rest = bytes
    while !rest.isEmpty {
      let piece = rest.prefix(Grants.outputLimit)
      rest = rest.dropFirst(piece.count)
      block.setCounts(untyped: UInt64(1 + (piece.count + 7) / 8))
      block.setWord(0, stream << 32 | UInt64(piece.count))
      block.setBytes(piece, at: 1)
      _ = Kernel.call(Grants.output)
    }
    for index in 0..<512 { block[index * 8] = saved[index] }
  }

  static func end(_ status: UInt64, _ block: MessageBlock) -> Never {
    block.setCounts(untyped: 1)
    block.setWord(0, status)
    _ = Kernel.call(Grants.end)
    while true { h_pause() }
  }
}

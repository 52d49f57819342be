import CHypercall
import HypercallABI
import UserRuntime

/// What the machine says, by lines to the root task; and its end.
struct Output {
  private var line = InlineArray<50, UInt64>(repeating: 0)
  private var count = 0
  private var saved = InlineArray<512, UInt64>(repeating: 0)

  mutating func put(_ byte: UInt8, _ block: MessageBlock) {
    if byte == 10 || count == 400 { flush(block) }
    guard byte != 10, byte != 13 else { return }
    if count % 8 == 0 { line[count / 8] = 0 }
    line[count / 8] |= UInt64(byte) << UInt64(count % 8 * 8)
    count += 1
  }

  /// The message block has an exit's state, which is to come back.
  private mutating func flush(_ block: MessageBlock) {
    for index in 0..<512 { saved[index] = block[index * 8] }
    block.setCounts(untyped: UInt64(1 + (count + 7) / 8))
    block.setWord(0, UInt64(count))
    for index in 0..<(count + 7) / 8 { block.setWord(1 + index, line[index]) }
    _ = Kernel.call(Grants.output)
    for index in 0..<512 { block[index * 8] = saved[index] }
    count = 0
  }

  static func end(_ status: UInt64, _ block: MessageBlock) -> Never {
    block.setCounts(untyped: 1)
    block.setWord(0, status)
    _ = Kernel.call(Grants.end)
    while true { h_pause() }
  }
}

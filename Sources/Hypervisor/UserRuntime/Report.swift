import HypercallABI

/// What a program's first thread says, and its end, by its portals to the root task.
package enum Report {
  private static var block: MessageBlock { MessageBlock(address: Root.messageBlock)! }

  package static func say(_ bytes: [UInt8]) {
    block.setCounts(untyped: UInt64(1 + (bytes.count + 7) / 8))
    block.setWord(0, Grants.console << 32 | UInt64(bytes.count))
    block.setBytes(bytes[...], at: 1)
    _ = Kernel.call(Grants.output)
  }

  /// A line of words and numbers.
  package static func line(_ parts: String...) {
    var bytes: [UInt8] = []
    for part in parts { bytes += Array(part.utf8) }
    say(bytes + [10])
  }

  package static func end(_ status: UInt64) -> Never {
    block.setCounts(untyped: 1)
    block.setWord(0, status)
    _ = Kernel.call(Grants.end)
    while true { _ = Kernel.raw(9, 0, flags: 1) }
  }
}

extension MessageBlock {
  /// Bytes as words from `index` on; the last one's others are 0.
  package func setBytes(_ bytes: ArraySlice<UInt8>, at index: Int) {
    for place in 0..<(bytes.count + 7) / 8 { setWord(index + place, 0) }
    for (place, byte) in bytes.enumerated() {
      setWord(index + place / 8, word(index + place / 8) | UInt64(byte) << UInt64(place % 8 * 8))
    }
  }

  package func bytes(_ count: Int, at index: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: word(index + $0 / 8) >> UInt64($0 % 8 * 8)) }
  }
}

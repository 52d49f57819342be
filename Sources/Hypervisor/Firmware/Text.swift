/// Bytes in memory that end before a zero, such as a command line; at most 4096 of them.
package struct Text: Equatable {
  package let address: UInt64
  package let count: Int
  package static let limit = 4096

  package init(address: UInt64, count: Int) {
    self.address = address
    self.count = count
  }

  /// The string at `address`; nil where memory ends before it.
  package init?(_ memory: some PhysicalMemory, at address: UInt64, limit: Int = Text.limit) {
    var count = 0
    while count < limit {
      guard let byte = memory.byte(at: address &+ UInt64(count)) else { return nil }
      guard byte != 0 else { break }
      count += 1
    }
    self.init(address: address, count: count)
  }

  /// The words between spaces.
  package func forEachWord(_ memory: some PhysicalMemory, _ body: (Text) -> Void) {
    var start = 0
    for index in 0...count {
      let ends = index == count || memory.byte(at: address &+ UInt64(index)).map { $0 <= 0x20 } ?? true
      guard ends else { continue }
      if index > start { body(Text(address: address &+ UInt64(start), count: index - start)) }
      start = index + 1
    }
  }

  package func equals(_ text: StaticString, _ memory: some PhysicalMemory) -> Bool {
    count == text.utf8CodeUnitCount && memory.holds(text, at: address)
  }
}

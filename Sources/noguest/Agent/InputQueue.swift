/// Standard input that the command has not taken yet. The window bounds it.
struct InputQueue {
  private var chunks: [Bytes] = []
  private var offset = 0
  private(set) var lastByte: UInt8?

  var isEmpty: Bool { chunks.isEmpty }

  mutating func append(_ chunk: Bytes) {
    guard let last = chunk.last else { return }
    lastByte = last
    chunks.append(chunk)
  }

  /// Writes what the descriptor takes. Answers how many bytes are off the queue.
  mutating func drain(into descriptor: borrowing Descriptor) throws(SystemError) -> Int {
    var total = 0
    while let chunk = chunks.first {
      let count: Int
      do throws(SystemError) { count = try descriptor.write(chunk, from: offset) } catch {
        if error == .again || error == .interrupted { break }
        throw error
      }
      total += count
      offset += count
      if offset == chunk.count {
        chunks.removeFirst()
        offset = 0
      }
    }
    return total
  }

  /// Forgets everything. Answers how many bytes that were.
  mutating func discard() -> Int {
    let total = chunks.reduce(0) { $0 + $1.count } - offset
    chunks = []
    offset = 0
    return total
  }
}

extension Descriptor {
  func drain(_ queue: inout InputQueue) throws(SystemError) -> Int { try queue.drain(into: self) }
}

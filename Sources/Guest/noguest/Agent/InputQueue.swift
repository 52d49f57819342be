/// Standard input that the command has not taken yet. The window bounds it, and where another host resumes the command, one more each
/// time.
struct InputQueue {
  private var bytes: Bytes = []
  private var offset = 0
  /// The last byte that was ever in it.
  private(set) var lastByte: UInt8?

  /// So much that has been written may be ahead of what has not, before that moves to the front.
  private static let slack = 128 << 10

  var isEmpty: Bool { offset == bytes.count }
  var count: Int { bytes.count - offset }

  mutating func append(_ more: ArraySlice<UInt8>) {
    guard let last = more.last else { return }
    lastByte = last
    bytes.append(contentsOf: more)
  }

  /// Writes what the descriptor takes. Answers how many bytes are off the queue.
  mutating func drain(into descriptor: borrowing Descriptor) throws(SystemError) -> Int {
    let start = offset
    while !isEmpty {
      do throws(SystemError) { offset += try descriptor.write(bytes, from: offset) } catch {
        if error == .again || error == .interrupted { break }
        throw error
      }
    }
    let total = offset - start
    if isEmpty {
      // Kept, since more is likely to come; memory that is given back and taken again costs a fault for every page.
      bytes.removeAll(keepingCapacity: true)
      offset = 0
    } else if offset >= Self.slack {
      bytes.removeFirst(offset)
      offset = 0
    }
    return total
  }

  /// Forgets everything. Answers how many bytes that were.
  mutating func discard() -> Int {
    let total = bytes.count - offset
    bytes = []
    offset = 0
    return total
  }
}

extension Descriptor {
  func drain(_ queue: inout InputQueue) throws(SystemError) -> Int { try queue.drain(into: self) }
}

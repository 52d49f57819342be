/// Turns a stream of bytes, cut anywhere, into the files of a transfer.
///
/// It holds no more than one record. After an error, or the end, nothing more comes of the stream.
package struct FileStreamDecoder: Sendable {
  package enum Piece: Equatable, Sendable {
    /// The next file; what was before it is complete.
    case record(FileRecord)
    /// Data of the last file: where in the bytes given.
    case data(Range<Int>)
    /// All files are complete.
    case end
  }

  private var head: [UInt8] = []
  private var rest: UInt64 = 0
  package private(set) var isAtEnd = false

  package init() {}

  /// The next piece, or nil once all of `bytes` is taken in. What follows the end is ignored.
  ///
  /// - Parameter offset: where in `bytes` to go on; moved past what was taken.
  package mutating func next(_ bytes: [UInt8], from offset: inout Int) throws(FrameError) -> Piece? {
    if isAtEnd || offset >= bytes.count { return nil }
    if rest > 0 {
      let start = offset
      let count = Int(min(rest, UInt64(bytes.count - offset)))
      offset += count
      rest -= UInt64(count)
      return .data(start..<offset)
    }
    fill(to: FileRecord.headSize, bytes, &offset)
    guard head.count >= FileRecord.headSize else { return nil }
    let lengths = try FileRecord.lengths(head)
    let length = FileRecord.headSize + lengths.path + lengths.target
    fill(to: length, bytes, &offset)
    guard head.count == length else { return nil }
    let record = try FileRecord(head)
    head.removeAll(keepingCapacity: true)
    if record.kind == .end {
      isAtEnd = true
      return .end
    }
    rest = record.size
    return .record(record)
  }

  private mutating func fill(to length: Int, _ bytes: [UInt8], _ offset: inout Int) {
    let count = min(length - head.count, bytes.count - offset)
    guard count > 0 else { return }
    head.append(contentsOf: bytes[offset..<(offset + count)])
    offset += count
  }
}

/// An archive in memory, which nobody writes.
@safe package struct ArchiveBytes: @unchecked Sendable {
  private let start: UnsafePointer<UInt8>?
  package let count: Int

  /// - Parameter bytes: outlive this.
  @unsafe package init(_ bytes: UnsafeBufferPointer<UInt8>) {
    unsafe start = bytes.baseAddress
    count = bytes.count
  }

  /// Zero where there is none.
  package subscript(_ place: Int) -> UInt8 {
    guard place >= 0, place < count, let start = unsafe start else { return 0 }
    return unsafe start[place]
  }

  /// What of `range` there is.
  package func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let range = range.clamped(to: 0..<count)
    // Within the archive, which outlives this.
    let bytes = unsafe UnsafeBufferPointer(start: start.map { unsafe $0 + range.lowerBound }, count: range.count)
    return try body(unsafe bytes.span)
  }

  /// Where a byte is first; the range's end where it is not.
  func first(_ byte: UInt8, in range: Range<Int>) -> Int {
    var place = range.lowerBound
    while place < range.upperBound, self[place] != byte { place += 1 }
    return place
  }

  /// Names by their bytes: less than 0, 0, or more.
  func compare(_ left: Range<Int>, _ right: Range<Int>) -> Int {
    for index in 0..<min(left.count, right.count) {
      let difference = Int(self[left.lowerBound + index]) - Int(self[right.lowerBound + index])
      if difference != 0 { return difference }
    }
    return left.count - right.count
  }

  func compare(_ left: Range<Int>, _ right: Span<UInt8>) -> Int {
    for index in 0..<min(left.count, right.count) {
      let difference = Int(self[left.lowerBound + index]) - Int(right[index])
      if difference != 0 { return difference }
    }
    return left.count - right.count
  }
}

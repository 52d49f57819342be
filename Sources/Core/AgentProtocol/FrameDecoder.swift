/// Turns a stream of bytes, cut anywhere, into frames.
///
/// It holds at most one unfinished frame, and no more than has arrived or than one plain frame takes. After an error the
/// stream has no frame boundaries any more, so every further call throws the same error.
///
///     var offset = 0
///     while let frame = try decoder.next(chunk, from: &offset) { … }
package struct FrameDecoder: Sendable {
  private var head: [UInt8] = []
  private var header: FrameHeader?
  private var payload: [UInt8] = []
  /// How much of the payload has been taken, whether it is kept here or was passed on.
  private var taken = 0
  private var failure: FrameError?

  package init() {}

  /// Whether the stream could end here without cutting a frame in two.
  package var isAtBoundary: Bool { head.isEmpty && header == nil }

  /// The next frame, or nil once all of `bytes` is taken in.
  ///
  /// - Parameter offset: where in `bytes` to go on; moved past what was taken.
  package mutating func next(_ bytes: [UInt8], from offset: inout Int) throws(FrameError) -> Frame? {
    while let piece = try nextPiece(bytes, from: &offset) {
      switch piece {
      case .frame(let frame): return frame
      case .data(let type, let range):
        payload.append(contentsOf: bytes[range])
        guard header == nil else { continue }
        var whole: [UInt8] = []
        swap(&whole, &payload)
        return try Frame(type: type, payload: whole)
      }
    }
    return nil
  }

  /// The next frame, or as much of a frame of data as there is in `bytes`, without a copy of it; nil once all of `bytes` is
  /// taken in. A stream is to be read by this or by ``next(_:from:)``, not by both.
  package mutating func nextPiece(_ bytes: [UInt8], from offset: inout Int) throws(FrameError) -> FramePiece? {
    if let failure { throw failure }
    do throws(FrameError) {
      return try advance(bytes, &offset)
    } catch {
      failure = error
      payload = []
      throw error
    }
  }

  private mutating func advance(_ bytes: [UInt8], _ offset: inout Int) throws(FrameError) -> FramePiece? {
    if header == nil {
      let range = Self.take(FrameHeader.size - head.count, of: bytes, &offset)
      head.append(contentsOf: bytes[range])
      guard head.count == FrameHeader.size else { return nil }
      header = try FrameHeader(head)
      head.removeAll(keepingCapacity: true)
      taken = 0
    }
    guard let header else { return nil }
    let length = Int(header.length)
    let range = Self.take(length - taken, of: bytes, &offset)
    taken += range.count
    if taken == length { self.header = nil }
    if header.type.carriesData {
      return range.isEmpty && taken < length ? nil : .data(header.type, range)
    }
    payload.append(contentsOf: bytes[range])
    guard taken == length else { return nil }
    defer { payload.removeAll(keepingCapacity: length <= Agent.payloadLimit) }
    return .frame(try Frame(type: header.type, payload: payload))
  }

  /// The next bytes, at most `limit` of them.
  private static func take(_ limit: Int, of bytes: [UInt8], _ offset: inout Int) -> Range<Int> {
    let start = offset
    offset = max(start, min(bytes.count, start + limit))
    return start..<offset
  }
}

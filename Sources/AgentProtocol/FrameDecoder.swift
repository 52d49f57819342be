/// Turns a stream of bytes, cut anywhere, into frames.
///
/// It holds at most one unfinished frame, and no more than has arrived or than one plain frame takes. After an error the stream has no frame
/// boundaries any more, so every further call throws the same error.
///
///     var offset = 0
///     while let frame = try decoder.next(chunk, from: &offset) { … }
package struct FrameDecoder: Sendable {
  private var head: [UInt8] = []
  private var header: FrameHeader?
  private var payload: [UInt8] = []
  private var failure: FrameError?

  package init() {}

  /// Whether the stream could end here without cutting a frame in two.
  package var isAtBoundary: Bool { head.isEmpty && header == nil }

  /// The next frame, or nil once all of `bytes` is taken in.
  ///
  /// - Parameter offset: where in `bytes` to go on; moved past what was taken.
  package mutating func next(_ bytes: [UInt8], from offset: inout Int) throws(FrameError) -> Frame? {
    if let failure { throw failure }
    do throws(FrameError) {
      return try advance(bytes, &offset)
    } catch {
      failure = error
      payload = []
      throw error
    }
  }

  private mutating func advance(_ bytes: [UInt8], _ offset: inout Int) throws(FrameError) -> Frame? {
    if header == nil {
      Self.move(bytes, &offset, to: &head, upTo: FrameHeader.size)
      guard head.count == FrameHeader.size else { return nil }
      let announced = try FrameHeader(head)
      head.removeAll(keepingCapacity: true)
      // An honest peer's frame is usually here already; a liar's costs no more than one plain frame.
      payload.reserveCapacity(min(Int(announced.length), Agent.payloadLimit))
      header = announced
    }
    guard let header else { return nil }
    Self.move(bytes, &offset, to: &payload, upTo: Int(header.length))
    guard payload.count == Int(header.length) else { return nil }
    // Hands the array over rather than copying it: a payload of output ends up in the frame's case as it is.
    var whole: [UInt8] = []
    swap(&whole, &payload)
    self.header = nil
    return try Frame(type: header.type, payload: whole)
  }

  /// Moves bytes until `target` has `limit` of them or there are no more.
  private static func move(_ bytes: [UInt8], _ offset: inout Int, to target: inout [UInt8], upTo limit: Int) {
    let end = min(bytes.count, offset + (limit - target.count))
    guard offset < end else { return }
    target.append(contentsOf: bytes[offset..<end])
    offset = end
  }
}

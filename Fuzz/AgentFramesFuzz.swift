import AgentProtocol

/// Bytes from a hostile peer, cut where the first byte says: no trap, no growth beyond the input, and whatever decodes
/// encodes back to the bytes it came from.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzAgentFrames(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  let piece = Int(first) + 1
  let stream = Array(input.dropFirst())

  var decoder = FrameDecoder()
  var decoded: [UInt8] = []
  var start = 0
  do throws(FrameError) {
    while start < stream.count {
      let bytes = Array(stream[start..<min(start + piece, stream.count)])
      var offset = 0
      while let frame = try decoder.next(bytes, from: &offset) { try frame.encode(into: &decoded) }
      start += bytes.count
    }
  } catch {
    // The stream is broken from here on; what came before it still has to match.
  }
  precondition(stream.starts(with: decoded), "a frame changed on its way through")
  return 0
}

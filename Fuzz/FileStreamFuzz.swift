import AgentProtocol

/// The files that a hostile guest sends, cut where the first byte says: no trap, no path that climbs, and each record
/// encodes back to the bytes that it came from.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFileStream(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  let input = [UInt8](UnsafeBufferPointer(start: data, count: size))
  guard let first = input.first else { return 0 }
  let piece = Int(first) + 1
  let stream = Array(input.dropFirst())

  var decoder = FileStreamDecoder()
  var decoded: [UInt8] = []
  var start = 0
  do throws(FrameError) {
    while start < stream.count, !decoder.isAtEnd {
      let bytes = Array(stream[start..<min(start + piece, stream.count)])
      var offset = 0
      while let piece = try decoder.next(bytes, from: &offset) {
        switch piece {
        case .record(let record):
          precondition(FileRecord.isPlain(record.path), "a path that leads elsewhere")
          try record.encode(into: &decoded)
        case .data(let range): decoded += bytes[range]
        case .end: break
        }
      }
      start += bytes.count
    }
  } catch {
    // The stream is broken from here on; what came before it still has to match.
  }
  precondition(stream.starts(with: decoded), "a record changed on its way through")
  return 0
}

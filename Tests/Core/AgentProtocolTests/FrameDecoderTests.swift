import AgentProtocol
import Testing

@Suite struct FrameDecoderTests {
  @Test func everyTypeHasASample() {
    #expect(Set(sampleFrames.map(\.type)) == Set(FrameType.allCases))
  }

  @Test func roundTripsAtAnyPieceSize() throws {
    var bytes: [UInt8] = []
    for frame in sampleFrames { try frame.encode(into: &bytes) }
    for size in [1, 2, 3, 7, 8, 9, 4096, bytes.count] {
      let (frames, error, atBoundary) = decode(bytes, pieces: size)
      #expect(frames == sampleFrames && error == nil && atBoundary, "in pieces of \(size)")
    }
  }

  @Test func splitsAtEachByte() throws {
    for frame in sampleFrames {
      let bytes = try frame.encoded()
      // A payload of one repeated byte is the same wherever it is cut: look at its edges only.
      let cuts = Array(1..<bytes.count).filter { $0 < 200 || $0 > bytes.count - 20 }
      for cut in cuts {
        var decoder = FrameDecoder()
        var offset = 0
        #expect(try decoder.next(Array(bytes[..<cut]), from: &offset) == nil)
        #expect(offset == cut && !decoder.isAtBoundary)
        offset = cut
        #expect(try decoder.next(bytes, from: &offset) == frame, "\(frame.type) cut at \(cut)")
        #expect(offset == bytes.count && decoder.isAtBoundary)
      }
    }
  }

  @Test func piecesOfDataAreThoseOfTheFrames() throws {
    // An empty frame between two others, so that its piece is neither lost nor taken for the end of the bytes.
    let frames: [Frame] = [.stdin([1, 2, 3, 4, 5]), .stdout([]), .exited(code: 3), .stderr([6]), .started(pid: 7)]
    var bytes: [UInt8] = []
    for frame in frames { try frame.encode(into: &bytes) }
    for size in 1...bytes.count {
      var decoder = FrameDecoder()
      var whole: [Frame] = []
      var data: [FrameType: [UInt8]] = [:]
      for start in stride(from: 0, to: bytes.count, by: size) {
        let chunk = Array(bytes[start..<min(start + size, bytes.count)])
        var offset = 0
        while let piece = try decoder.nextPiece(chunk, from: &offset) {
          switch piece {
          case .frame(let frame): whole.append(frame)
          case .data(let type, let range): data[type, default: []] += chunk[range]
          }
        }
        #expect(offset == chunk.count)
      }
      #expect(whole == [.exited(code: 3), .started(pid: 7)], "in pieces of \(size)")
      #expect(data == [.stdin: [1, 2, 3, 4, 5], .stdout: [], .stderr: [6]], "in pieces of \(size)")
      #expect(decoder.isAtBoundary)
    }
  }

  @Test func headerIsAsDocumented() throws {
    #expect(try Frame.stdin([7, 8, 9]).encoded() == [4, 0, 0, 0, 3, 0, 0, 0, 7, 8, 9])
    #expect(try Frame.credit(0x0403_0201).encoded() == [8, 0, 0, 0, 4, 0, 0, 0, 1, 2, 3, 4])
  }

  @Test(arguments: [
    (raw(0, []), FrameError.unknownType(0)),
    (raw(17, []), .unknownType(17)),
    (raw(4, [], flags: 1), .reservedBits(.stdin)),
    (raw(4, [], reserved: 0x100), .reservedBits(.stdin)),
    (raw(4, [], length: 65537), .oversized(.stdin, length: 65537)),
    (raw(2, [], length: (2 << 20) + 1), .oversized(.exec, length: (2 << 20) + 1)),
    (raw(6, [], length: .max), .oversized(.stdout, length: .max)),
    (raw(1, []), .malformed(.hello)),
    (raw(1, [1, 0, 9, 0, 0, 0, 1]), .malformed(.hello)),
    (raw(1, [1, 0, 0xff, 0xff, 0xff, 0xff]), .malformed(.hello)),
    (raw(1, [1, 0, 1, 0, 0, 0, 0]), .malformed(.hello)),
    (raw(3, [1, 2, 3]), .malformed(.started)),
    (raw(3, [1, 2, 3, 4, 5]), .malformed(.started)),
    (raw(5, [0]), .malformed(.endOfInput)),
    (raw(9, [0]), .malformed(.signal)),
    (raw(9, [65]), .malformed(.signal)),
    (raw(12, [0]), .malformed(.signaled)),
    (raw(12, [128]), .malformed(.signaled)),
    (raw(13, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), .malformed(.failed)),
    (raw(13, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), .reservedBits(.failed)),
    (raw(14, [0]), .malformed(.shutdown)),
    (raw(14, [5]), .malformed(.shutdown)),
    (raw(15, [0]), .malformed(.synced)),
    (raw(16, [1, 0, 0, 0, 0, 0, 0, 0] + [0x00, 0xca, 0x9a, 0x3b]), .malformed(.clock)),
  ])
  func refuses(_ bytes: [UInt8], _ error: FrameError) {
    for size in [1, bytes.count] {
      #expect(decode(bytes, pieces: size).error == error)
    }
  }

  @Test(arguments: [
    // No arguments; a count that the payload cannot hold; options and reserved bits of another version; a string with NUL;
    // a byte too many.
    ([0, 0, 0, 0, 0, 0, 0, 0] + zeros(16), FrameError.malformed(.exec)),
    ([0, 0, 0, 0, 0, 0, 0, 0] + zeros(8) + [0xff, 0xff, 0xff, 0x7f] + zeros(4), .malformed(.exec)),
    ([64, 0, 0, 0, 0, 0, 0, 0] + zeros(8) + [1, 0, 0, 0, 1, 0, 0, 0, 0x61] + zeros(4), .reservedBits(.exec)),
    // Limits: none, fewer than it says, and of what there is not.
    (limited + zeros(4), .malformed(.exec)),
    (limited + [2, 0, 0, 0, 7] + zeros(16), .malformed(.exec)),
    (limited + [1, 0, 0, 0, 16] + zeros(16), .malformed(.exec)),
    ([0, 0, 0, 0, 0, 0, 1, 0] + zeros(8) + [1, 0, 0, 0, 1, 0, 0, 0, 0x61] + zeros(4), .reservedBits(.exec)),
    ([0, 0, 0, 0, 0, 0, 0, 0] + zeros(8) + [1, 0, 0, 0, 1, 0, 0, 0, 0] + zeros(4), .malformed(.exec)),
    ([0, 0, 0, 0, 0, 0, 0, 0] + zeros(8) + [1, 0, 0, 0, 1, 0, 0, 0, 0x61] + zeros(5), .malformed(.exec)),
  ])
  func refusesExec(_ payload: [UInt8], _ error: FrameError) {
    #expect(decode(raw(2, payload), pieces: 3).error == error)
  }

  @Test func staysBrokenAfterAnError() throws {
    var decoder = FrameDecoder()
    var offset = 0
    let bad = raw(99, [])
    #expect(throws: FrameError.unknownType(99)) { try decoder.next(bad, from: &offset) }
    let good = try Frame.synced.encoded()
    offset = 0
    #expect(throws: FrameError.unknownType(99)) { try decoder.next(good, from: &offset) }
  }

  @Test func refusesEveryTruncatedPayload() throws {
    // Each shorter payload under an honest header is an error, except for plain data, which has no shape.
    for frame in sampleFrames where ![.stdin, .stdout, .stderr].contains(frame.type) {
      let payload = Array(try frame.encoded().dropFirst(FrameHeader.size))
      for length in 0..<payload.count {
        let result = decode(raw(frame.type.rawValue, Array(payload[..<length])), pieces: 4096)
        #expect(result.error == .malformed(frame.type), "\(frame.type) cut to \(length)")
      }
    }
  }
}

private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

/// The payload of an `exec` of `a`, up to where its limits follow.
private let limited: [UInt8] = [32, 0, 0, 0, 0, 0, 0, 0] + zeros(8) + [1, 0, 0, 0, 1, 0, 0, 0, 0x61] + zeros(4)

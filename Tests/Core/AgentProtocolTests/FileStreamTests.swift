import Testing

@testable import AgentProtocol

struct FileStreamTests {
  private static let samples: [FileRecord] = {
    var file = FileRecord(.file, path: "a/b".bytes, mode: 0o4755)
    (file.uid, file.gid, file.size) = (1000, 100, 5)
    (file.seconds, file.nanoseconds) = (-7, 999_999_999)
    var link = FileRecord(.symlink, path: "a/\u{ff}".bytes, mode: 0o777)
    link.target = "/../etc".bytes
    var device = FileRecord(.characterDevice, path: "null".bytes, mode: 0o666)
    (device.major, device.minor) = (1, 3)
    var other = FileRecord(.link, path: "a/c".bytes)
    other.target = "a/b".bytes
    return [FileRecord(.directory, mode: 0o1777), file, link, device, other, FileRecord(.fifo, path: "...".bytes)]
  }()

  private func decode(_ bytes: [UInt8], pieces: Int) throws(FrameError) -> (
    records: [FileRecord], data: [UInt8], isAtEnd: Bool
  ) {
    var decoder = FileStreamDecoder()
    var records: [FileRecord] = []
    var data: [UInt8] = []
    var start = 0
    while start < bytes.count {
      let chunk = Array(bytes[start..<min(start + pieces, bytes.count)])
      var offset = 0
      while let piece = try decoder.next(chunk, from: &offset) {
        switch piece {
        case .record(let record): records.append(record)
        case .data(let range): data += chunk[range]
        case .end: break
        }
      }
      start += chunk.count
    }
    return (records, data, decoder.isAtEnd)
  }

  @Test(arguments: [1, 7, 52, 53, 4096]) func survivesAnyCut(pieces: Int) throws {
    var bytes: [UInt8] = []
    for record in Self.samples {
      try record.encode(into: &bytes)
      if record.size > 0 { bytes += "hello".bytes }
    }
    try FileRecord(.end).encode(into: &bytes)
    // What follows the end is nobody's.
    let decoded = try decode(bytes + [0xff, 0xff], pieces: pieces)
    #expect(decoded.records == Self.samples)
    #expect(decoded.data == "hello".bytes)
    #expect(decoded.isAtEnd)
    #expect(try !decode(Array(bytes.dropLast()), pieces: pieces).isAtEnd)
  }

  @Test(arguments: [
    "/etc", "..", "a/..", "a/../b", ".", "a/.", "a//b", "a/", "a\0b", String(repeating: "n", count: 256),
  ])
  func refusesPathsThatLeadElsewhere(path: String) throws {
    #expect(!FileRecord.isPlain(path.bytes))
    var bytes: [UInt8] = []
    #expect(throws: FrameError.malformedRecord) { try FileRecord(.file, path: path.bytes).encode(into: &bytes) }
    #expect(bytes.isEmpty)
    // As a hostile peer sends it: that of a good record, with another path.
    let good = [UInt8](repeating: UInt8(ascii: "x"), count: min(path.utf8.count, 200))
    try FileRecord(.directory, path: good).encode(into: &bytes)
    guard path.utf8.count == good.count else { return }
    bytes.replaceSubrange(52..., with: path.bytes)
    #expect(throws: FrameError.malformedRecord) { try decode(bytes, pieces: 4096) }
    bytes = []
    var link = FileRecord(.link, path: "a".bytes)
    link.target = path.bytes
    #expect(throws: FrameError.malformedRecord) { try link.encode(into: &bytes) }
  }

  @Test func refusesWhatIsNoRecord() throws {
    var bytes: [UInt8] = []
    try FileRecord(.directory, path: "d".bytes, mode: 0o755).encode(into: &bytes)
    // Kind, reserved bytes, permissions, data of a directory, nanoseconds, lengths beyond all bounds, a target of none.
    for (offset, value) in [(0, 8), (1, 1), (5, 0x10), (16, 1), (35, 0xff), (47, 1), (51, 1), (48, 1)] {
      var bad = bytes + [0]
      bad[offset] = UInt8(value)
      #expect(throws: FrameError.malformedRecord, "at \(offset)") { try decode(bad, pieces: 4096) }
    }
  }

  @Test func goesWhereDockerWouldPutIt() {
    let directory = FileRecord(.directory, path: "d".bytes)
    let content = FileRecord(.directory)
    let file = FileRecord(.file, path: "f".bytes)
    #expect(FilePlacement(directory, at: .directory, endsInSlash: false) == .below)
    #expect(FilePlacement(directory, at: .nothing, endsInSlash: true) == .renamed)
    #expect(FilePlacement(directory, at: .other, endsInSlash: false) == .refused)
    #expect(FilePlacement(content, at: .nothing, endsInSlash: false) == .below)
    #expect(FilePlacement(file, at: .directory, endsInSlash: false) == .below)
    #expect(FilePlacement(file, at: .other, endsInSlash: false) == .renamed)
    #expect(FilePlacement(file, at: .other, endsInSlash: true) == .refused)
    #expect(FilePlacement(file, at: .nothing, endsInSlash: false) == .renamed)
    #expect(FilePlacement(file, at: .nothing, endsInSlash: true) == .refused)
  }
}

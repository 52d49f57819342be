import AgentProtocol
import Testing

@testable import NovmKit

/// What a guest may make us keep.
struct FileCollectorTests {
  @Test func namesAreBounded() throws {
    let collector = FileCollector()
    let record = FileRecord(.file, path: [UInt8](repeating: 0x61, count: 4000))
    #expect(throws: NovmError.excessFiles(.names(16 << 20))) {
      for _ in 0..<5000 { try collector.begin(record) }
    }
    #expect(collector.files.count == 16 << 20 / 4000)
  }

  @Test func filesAndBytesAreBounded() throws {
    let collector = FileCollector(sizeLimit: 3, countLimit: 1)
    try collector.begin(FileRecord(.file, path: [0x61]))
    try collector.write([1, 2, 3])
    #expect(throws: NovmError.excessFiles(.size(3))) { try collector.write([4]) }
    #expect(throws: NovmError.excessFiles(.count(1))) { try collector.begin(FileRecord(.file, path: [0x62])) }
    // Data of no file is no transfer.
    #expect(throws: NovmError.protocolViolation(.malformedRecord)) { try FileCollector().write([1]) }
  }
}

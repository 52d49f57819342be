import Foundation
import Host
import Testing

@testable import NovmKit
@testable import Store

struct MachineLogTests {
  private let directory: String
  private var record: MachineRecord {
    MachineRecord(identifier: "0123456789ab", name: "box", path: directory, runtime: nil, isAlive: false)
  }

  init() throws {
    directory = NSTemporaryDirectory() + "novm-log-\(UUID())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
  }

  private func entries(_ reader: MachineLogReader) -> [String] {
    var result: [String] = []
    reader.readAll { result.append("\($0.name.rawValue) \($0.isFull) \(String(decoding: $0.bytes, as: UTF8.self))") }
    return result
  }

  @Test func linesOfBothStreams() throws {
    let log = try MachineLog(directory + "/log")
    let output = log.stream(.output)
    let error = log.stream(.error)
    try output.write(Array("one\ntw".utf8)[...])
    try error.write(Array("  bad\n".utf8)[...])
    try output.write(Array("o\n\nrest".utf8)[...])
    log.end()
    #expect(
      entries(MachineLogReader(record)) == [
        "stdout true one", "stderr true   bad", "stdout true two", "stdout true ", "stdout false rest",
      ])
  }

  @Test func anyBytesPassUnchanged() throws {
    let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 251) }
    let log = try MachineLog(directory + "/log")
    try log.stream(.output).write(bytes[...])
    log.end()
    var read: [UInt8] = []
    MachineLogReader(record).readAll { entry in
      read += entry.bytes
      if entry.isFull { read.append(UInt8(ascii: "\n")) }
    }
    #expect(read == bytes)
  }

  /// Two files of a bounded size, and a reader that follows loses nothing of what it could still read.
  @Test func oldLinesGo() throws {
    let log = try MachineLog(directory + "/log")
    let output = log.stream(.output)
    let reader = MachineLogReader(record)
    var count = 0
    let line = [UInt8](repeating: 120, count: 1 << 20) + [UInt8(ascii: "\n")]
    for index in 0..<40 {
      try output.write(Array("\(index)\n".utf8)[...])
      try output.write(line[...])
      reader.readNew { if $0.isFull && $0.bytes.count < 3 { count += 1 } }
    }
    #expect(count == 40)
    let sizes = try ["log", "log.1"].map { name in
      try FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)")[.size] as? Int ?? 0
    }
    #expect(sizes.allSatisfy { $0 <= 10 << 20 })
    #expect(sizes.reduce(0, +) >= 8 << 20)
  }

  @Test func whatIsNoLogIsPassedOver() throws {
    try Data("nonsense\n\n2026-01-01T00:00:00Z stdout F x\n2026 stdout F y\n".utf8).write(
      to: URL(fileURLWithPath: directory + "/log"))
    #expect(entries(MachineLogReader(record)) == ["stdout true x"])
  }
}

struct LogTimeTests {
  @Test func textAndBack() throws {
    let time = LogTime(seconds: 1_475_712_969 + 60, nanoseconds: 42)
    #expect(time.text == "2016-10-06T00:17:09.000000042Z")
    #expect(LogTime(time.text) == time)
    #expect(LogTime("2016-10-06T00:17:09.5Z") == LogTime(seconds: time.seconds, nanoseconds: 500_000_000))
    #expect(LogTime("1970-01-02") == LogTime(seconds: 86400))
    for text in [
      "", "now", "2016", "2016-13-40", "2016-10-06T99:00:00Z", "2016-10-06T00:17:09.Z", "2016-10-06T00:17:09.-1Z",
    ] {
      #expect(LogTime(text) == nil, "\(text)")
    }
  }
}

import Foundation
import Testing

@testable import NovmKit

struct LogTailTests {
  private let path = FileManager.default.temporaryDirectory.appendingPathComponent("novm-tail-\(UUID())").path

  private func append(_ text: String) throws {
    if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(fileURLWithPath: path)) }
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.seekToEnd()
    try file.write(contentsOf: Data(text.utf8))
  }

  private func news(of tail: LogTail) -> [String] {
    var lines: [String] = []
    tail.read { lines.append(String(decoding: $0, as: UTF8.self)) }
    return lines
  }

  @Test func wholeLinesFromNowOn() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    try append("before\n")
    let tail = LogTail(path)
    #expect(news(of: tail) == [])
    try append("one\ntw")
    #expect(news(of: tail) == ["one"])
    try append("o\n\nthree\n")
    #expect(news(of: tail) == ["two", "", "three"])
  }

  @Test func filesThatAreBegunAnew() throws {
    defer { for name in [path, "\(path).1"] { try? FileManager.default.removeItem(atPath: name) } }
    let tail = LogTail(path)
    #expect(tail.descriptor == nil && news(of: tail) == [])
    try append("one\n")
    var isNew = false
    var lines = 0
    isNew = tail.read { _ in lines += 1 }
    #expect(isNew && lines == 1 && tail.descriptor != nil)
    // What was written to the old one is not missed.
    try append("two\n")
    try FileManager.default.moveItem(atPath: path, toPath: "\(path).1")
    try append("three\n")
    #expect(news(of: tail) == ["two", "three"])
  }

  @Test func linesWithoutEndAreNotKept() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    try append("")
    let tail = LogTail(path)
    for _ in 0..<40 { try append(String(repeating: "x", count: 10_000)) }
    #expect(news(of: tail) == [])
    try append("\nshort\n")
    #expect(news(of: tail).last == "short")
  }
}

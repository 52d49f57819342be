import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

struct KernelLogTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var path: String { directory.path + "/console" }

  /// The screen of a test.
  private final class Screen: ImmediateOutput {
    var bytes: [UInt8] = []
    func write(_ more: ArraySlice<UInt8>) { bytes += more }
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  /// What is written to the log's pipe until its end.
  private func run(_ log: KernelLog, _ bytes: [UInt8]) throws {
    let loop = PollLoop()
    loop.add(log)
    let writer = dup(log.descriptor)
    log.handedOver()
    let thread = Thread {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(writer, $0.baseAddress, $0.count) }
        if count <= 0 { break }
        rest = rest.dropFirst(count)
      }
      close(writer)
    }
    thread.start()
    try loop.run { log.isDone }
  }

  @Test func theLastLinesAreForAPerson() throws {
    let log = try KernelLog(path: path, screen: nil)
    let lines = (1...100).map { "[    0.\($0)] line \($0)\r\n" }.joined() + "Kernel panic \u{1B}[2J\r\n---[ end Ker"
    try run(log, Array(lines.utf8))
    #expect(try text(path) == lines)
    #expect(log.lastLines.count == 60)
    #expect(log.lastLines.first == "[    0.42] line 42")
    #expect(log.lastLines.last == "Kernel panic \\x1b[2J")
  }

  @Test func whatWasShownIsNotSaidAgain() throws {
    let screen = Screen()
    let log = try KernelLog(path: nil, screen: screen)
    try run(log, Array("panic\r\n".utf8))
    #expect(String(decoding: screen.bytes, as: UTF8.self) == "panic\r\n")
    #expect(log.lastLines == [])
  }

  @Test func aGuestThatNeverStopsFillsNoDisk() throws {
    let log = try KernelLog(path: path, screen: nil)
    try run(log, [UInt8](repeating: UInt8(ascii: "x"), count: 5 << 20))
    for file in [path, path + ".1"] {
      let size = try #require(try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
      #expect((1...(1 << 20) + (16 << 10)).contains(size), "\(file): \(size)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).count == 2)
    // Nor by the other way.
    let records = log.records()
    for _ in 0..<100 { try records.write([UInt8](repeating: UInt8(ascii: "y"), count: 1 << 16)[...]) }
    #expect(try !text(path).contains("y"))
  }

  @Test func recordsLoseTheirLevels() throws {
    let log = try KernelLog(path: path, screen: nil)
    let records = log.records()
    // In pieces, as a stream brings them.
    for piece in ["<5>[    0.000000] Linux ver", "sion\n<6>[    0.1] two\nthe rest > of two\n", "<4>[ 1.0] cut"] {
      try records.write(Array(piece.utf8)[...])
    }
    #expect(try text(path) == "[    0.000000] Linux version\n[    0.1] two\nthe rest > of two\n")
  }
}

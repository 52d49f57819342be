import Glibc
import Testing

@testable import Host

@Suite("Spawn")
struct SpawnTests {
  @Test("A program that is started apart runs, with its descriptors and environment alone, and is nobody's child here")
  func startsApart() throws {
    let pipe = try Pipe()
    let errors = try Pipe()
    // One that whoever embeds us opened without close-on-exec.
    let leaked = dup(STDERR_FILENO)
    defer { close(leaked) }
    let words = "echo $NAME $(test -e /proc/$$/fd/\(leaked) && echo leaked || echo closed) $PPID >&\(pipe.writer.raw)"
    // Not dash, which knows descriptors of one digit.
    try Spawn.startApart(
      "/bin/bash", [Array("-c".utf8), Array(words.utf8)], errors: errors.writer.raw, inherited: [pipe.writer.raw],
      environment: [Array("NAME=value".utf8), Array("PATH=/bin:/usr/bin".utf8)])
    let reader = pipe.takeReader()
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 100)
    while let count = try? reader.read(into: &buffer), count > 0 { text += buffer[..<count] }
    let answer = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    try #require(answer.count == 3)
    #expect(answer[0] == "value")
    #expect(answer[1] == "closed")
    #expect(answer[2] != "\(getpid())")
  }

  @Test("What keeps a program from being started apart is told")
  func failsApart() throws {
    let errors = try Pipe()
    #expect(throws: Errno(ENOENT)) {
      try Spawn.startApart("/nowhere/program", [], errors: errors.writer.raw, inherited: [], environment: [])
    }
  }
}

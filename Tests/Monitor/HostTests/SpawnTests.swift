import Glibc
import HostTesting
import Testing

import class Foundation.FileHandle
import class Foundation.Process
import struct Foundation.URL

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

  @Test("A program that sees no others is the first of its own, alone", .needsRoot)
  func seesNoOthers() throws {
    func told(seesOthers: Bool) throws -> [Substring] {
      let pipe = try Pipe()
      let words = ["-c", "echo $$; readlink /proc/self/ns/pid"].map { Array($0.utf8) }
      let identifier = try Spawn.start(
        "/bin/sh", words, output: pipe.writer.raw, errors: STDERR_FILENO, seesOthers: seesOthers)
      let reader = pipe.takeReader()
      var text: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 200)
      while let count = try? reader.read(into: &buffer), count > 0 { text += buffer[..<count] }
      var status: Int32 = 0
      let ended = waitpid(identifier, &status, 0)
      #expect(ended == identifier && status == 0)
      return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }
    let (inside, outside) = (try told(seesOthers: false), try told(seesOthers: true))
    let place = Array("/proc/self/ns/pid\0".utf8)
    let own = try FileCalls.readLink(AT_FDCWD, place.span)
    #expect(outside[0] != "1" && outside[1] == String(decoding: own, as: UTF8.self))
    // In a container root may not.
    guard outside[1] != inside[1] else { try Test.cancel("needs CAP_SYS_ADMIN") }
    #expect(inside[0] == "1")
  }

  @Test("Root of a user namespace, which may leave the host's PID namespace but not come back, starts programs there")
  func rootOfAUserNamespaceSeesOthers() throws {
    func status(_ words: [String]) throws -> Int32 {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/unshare")
      process.arguments = ["--user", "--map-root-user"] + words
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return process.terminationStatus
    }
    guard try status(["true"]) == 0 else { try Test.cancel("needs user namespaces") }
    #expect(try status([BuiltProgram.url("confined").path, "first-process"]) == 0)
  }

  @Test("What keeps a program from being started apart is told")
  func failsApart() throws {
    let errors = try Pipe()
    #expect(throws: Errno(ENOENT)) {
      try Spawn.startApart("/nowhere/program", [], errors: errors.writer.raw, inherited: [], environment: [])
    }
  }
}

import Foundation
import Host
import Testing

@testable import NovmKit

/// The process that runs a machine, played by a shell.
struct MachineProcessTests {
  let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  private func script(_ text: String) throws -> String {
    let path = scratch.path + "/novmm"
    try ("#!/bin/sh\n" + text).write(toFile: path, atomically: true, encoding: .utf8)
    #expect(chmod(path, 0o755) == 0)
    return path
  }

  private func end(_ text: String) throws -> MachineEnd? {
    let process = try MachineProcess(program: try script(text), arguments: [], inherited: [])
    let loop = PollLoop()
    loop.add(process)
    try loop.run(until: .after(milliseconds: 60_000)) { process.end != nil }
    return process.end
  }

  @Test func passesItsWordsOn() throws {
    let end = try end("echo 'novmm: one' >&2; printf 'novmm: two' >&2; exit 1")
    #expect(end == MachineEnd(reason: .hostFailure, messages: ["one", "two"]))
    #expect(end?.message == "two")
  }

  @Test func tellsHowItEnded() throws {
    #expect(try end("exit 4")?.reason == .panicked)
    #expect(try end("kill -9 $$")?.reason == .signaled(9))
    #expect(try end("exit 0")?.reason == .poweredOff)
  }

  @Test func isGoneWithItsObject() throws {
    let marker = scratch.path + "/pid"
    var process: MachineProcess? = try MachineProcess(
      program: try script("echo $$ > '\(marker).new'; mv '\(marker).new' '\(marker)'; exec sleep 100"), arguments: [],
      inherited: [])
    for _ in 0..<100 where !FileManager.default.fileExists(atPath: marker) { usleep(50_000) }
    let text = try String(contentsOfFile: marker, encoding: .utf8)
    let identifier = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    #expect(kill(identifier, 0) == 0)
    process = nil
    #expect(kill(identifier, 0) == -1)
    _ = process
  }

  @Test func inheritsOnlyWhatItIsGiven() throws {
    let given = try TestPipe()
    _ = fcntl(given.writer, F_SETFD, FD_CLOEXEC)
    let held = try FileDescriptor.open("/dev/null", O_RDONLY)
    let listing = scratch.path + "/list"
    let process = try MachineProcess(
      program: try script("ls -l /proc/self/fd > '\(listing)'; echo here > /proc/self/fd/\(given.writer)"),
      arguments: [],
      inherited: [given.writer])
    let loop = PollLoop()
    loop.add(process)
    try loop.run(until: .after(milliseconds: 60_000)) { process.end != nil }
    close(given.writer)
    #expect(given.drain() == Array("here\n".utf8))
    let text = try String(contentsOfFile: listing, encoding: .utf8)
    #expect(!text.contains(" \(held.raw) -> /dev/null"))
  }

  @Test func namesAMissingProgram() {
    #expect(throws: NovmError.programMissing("/nowhere/novmm")) {
      _ = try MachineProcess(program: "/nowhere/novmm", arguments: [], inherited: [])
    }
  }
}

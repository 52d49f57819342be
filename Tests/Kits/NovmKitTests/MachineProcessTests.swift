import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

/// The process that runs a machine, played by a shell.
struct MachineProcessTests {
  let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  /// No script in a file: what was just written is still open for writing in whatever another test forks meanwhile.
  private func shell(_ text: String, inherited: [Int32] = []) throws -> MachineProcess {
    try MachineProcess(program: "/bin/sh", arguments: ["-c", text].map { Array($0.utf8) }, inherited: inherited)
  }

  private func end(_ text: String) throws -> MachineEnd? {
    let process = try shell(text)
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

  @Test func warningsAreNotOfItsEnd() throws {
    let process = try shell("echo 'novmm: one' >&2; echo 'novmm: warning: the tap' >&2; exit 1")
    var warnings: [String] = []
    process.onWarning = { warnings.append($0) }
    let loop = PollLoop()
    loop.add(process)
    try loop.run(until: .after(milliseconds: 60_000)) { process.end != nil }
    #expect(warnings == ["the tap"])
    #expect(process.end == MachineEnd(reason: .hostFailure, messages: ["one"]))
  }

  @Test func tellsHowItEnded() throws {
    #expect(try end("exit 4")?.reason == .panicked)
    #expect(try end("kill -9 $$")?.reason == .signaled(9))
    #expect(try end("exit 0")?.reason == .poweredOff)
  }

  @Test func isGoneWithItsObject() throws {
    let marker = scratch.path + "/pid"
    var process: MachineProcess? = try shell(
      "echo $$ > '\(marker).new'; mv '\(marker).new' '\(marker)'; exec sleep 100")
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
    let process = try shell(
      "ls -l /proc/self/fd > '\(listing)'; echo here > /proc/self/fd/\(given.writer)", inherited: [given.writer])
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

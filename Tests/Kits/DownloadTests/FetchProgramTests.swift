import Foundation
import Host
import HostTesting
import Testing

@testable import Download

/// A program in the place of `nofetch`, as one that a server has taken over: novm ends its download, in words.
struct FetchProgramTests {
  private let file = try! FileDescriptorBox()

  /// - Parameter script: as for `FetchScript`.
  private func fetch(_ script: String) throws -> [UInt64] {
    try FetchScript.with(script) { program in
      var steps: [UInt64] = []
      do {
        try Download("http://x/y", limit: 10).fetch(to: file.raw, by: program) { count, _ in steps.append(count) }
      } catch {
        // Its name is another each time.
        if case DownloadError.ended(_, let status) = error { throw DownloadError.ended("it", status: status) }
        throw error
      }
      return steps
    }
  }

  @Test func all() throws {
    let steps = try fetch(
      "echo 0123456789 | head -c 10 >&$file; printf 'progress 3 10\\nprogress 10 10\\ndone\\n' >&$report")
    #expect(steps == [3, 10])
    #expect(try file.contents() == Data("0123456789".utf8))
  }

  @Test func moreThanOrdered() throws {
    #expect(throws: DownloadError.tooLarge(address: "http://x/y", limit: 10)) {
      try fetch("echo 0123456789 >&$file; echo done >&$report")
    }
  }

  @Test func noLastWord() throws {
    #expect(throws: DownloadError.ended("it", status: 7 << 8)) { try fetch("exit 7") }
    #expect(throws: DownloadError.ended("it", status: SIGSEGV)) {
      try fetch("echo progress 5 >&$report; kill -SEGV $$")
    }
    // Not done, since the line has no end.
    #expect(throws: DownloadError.ended("it", status: 0)) { try fetch("printf done >&$report") }
  }

  /// Those would never end.
  @Test func nonsense() throws {
    let killed = DownloadError.ended("it", status: SIGKILL)
    #expect(throws: killed) { try fetch("echo hello >&$report; exec sleep 600") }
    #expect(throws: killed) { try fetch("exec cat /dev/zero >&$report") }
    #expect(throws: killed) { try fetch("eval \"exec $report>&-\"; exec sleep 600") }
    #expect(throws: DownloadError.cut(address: "http://x/y", "words")) {
      try fetch("echo failed cut words >&$report; exec sleep 600")
    }
    #expect(try fetch("echo done >&$report; exec sleep 600") == [])
  }

  @Test func missing() throws {
    #expect(throws: DownloadError.program("/nowhere", .notFound)) {
      try Download("http://x/y", limit: 1).fetch(to: file.raw, by: "/nowhere") { _, _ in }
    }
  }
}

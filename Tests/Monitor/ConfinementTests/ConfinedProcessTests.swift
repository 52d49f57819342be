import Confinement
import Foundation
import HostTesting
import Testing

/// What the host's kernel makes of it, in a process that confines itself (`confined`).
struct ConfinedProcessTests {
  private func confined(_ attempt: String, _ directory: String = "/nonexistent") throws -> (
    status: Int32, output: String, errors: String
  ) {
    let process = Process()
    process.executableURL = try BuiltProgram.url("confined")
    process.arguments = [attempt, directory]
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    process.waitUntilExit()
    func text(_ pipe: Pipe) -> String {
      String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    return (process.terminationStatus, text(output), text(errors))
  }

  @Test(arguments: ["getpid", "thread", "local-socket", "memory"])
  func whatIsAllowedWorks(_ attempt: String) throws {
    let end = try confined(attempt)
    #expect(end.status == 0 && end.errors == "", "\(end)")
    #expect(end.output.hasSuffix("done\n"))
  }

  @Test(arguments: [
    ("getppid", "confined", "getppid"), ("thread-getppid", "late", "getppid"), ("fork", "confined", "clone"),
    ("internet-socket", "confined", "socket"), ("datagram-socket", "confined", "socket"), ("code", "confined", "mmap"),
    ("window-size", "confined", "ioctl"), ("number", "confined", "the system call of number 510"),
  ])
  func whatIsNotEndsTheProcess(_ attempt: String, _ thread: String, _ call: String) throws {
    let end = try confined(attempt)
    #expect(end.status == CallViolation.status)
    #expect(end.output == "")
    #expect(
      end.errors == "novmm: stopped: its thread \(thread) tried \(call), which the machine has no need of\n")
  }

  @Test func aCallCanFailInstead() throws {
    #expect(try confined("refused").output == "\(EXDEV)\n")
  }

  @Test(.needs(ofHost: "Landlock", Landlock.version >= Landlock.leastVersion))
  func landlockLeavesADirectory() throws {
    let directory = NSTemporaryDirectory() + "confined-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let inside = directory + "/inside"
    for name in ["", "/a", "/b"] {
      try FileManager.default.createDirectory(atPath: inside + name, withIntermediateDirectories: false)
    }
    #expect(FileManager.default.createFile(atPath: inside + "/a/file", contents: nil))
    for attempt in ["land-outside", "land-around"] {
      #expect(try confined(attempt, inside).output == "\(EACCES)\n", "\(attempt)")
    }
    let out = try confined("land-rename-out", inside).output
    #expect(out == "\(EACCES)\n" || out == "\(EXDEV)\n")
    for attempt in ["land-inside", "land-rename"] {
      #expect(try confined(attempt, inside).output == "done\n", "\(attempt)")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["inside"])
  }
}

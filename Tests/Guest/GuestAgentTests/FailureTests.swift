import AgentProtocol
import Foundation
import HostTesting
import Testing

/// Commands that do not come to run, and hosts that do not keep to the rules.
@Suite struct FailureTests {
  let agent: GuestAgent
  let scratch: ScratchDirectory

  init() throws {
    agent = try GuestAgent()
    scratch = try ScratchDirectory()
  }

  private func failure(_ arguments: String..., user: String = "", directory: String = "") throws -> Failure {
    let command = Command(arguments: arguments.map(\.bytes), directory: directory.bytes, user: user.bytes)
    let result = try agent.run(command)
    #expect(result.frames.count == 1, "nothing but the failure")
    return try #require(result.failure)
  }

  @Test func missingCommands() throws {
    let missing = try failure("no-such-command")
    #expect(missing.exitStatus == 127 && missing.errno == UInt32(ENOENT))
    #expect(missing.message.text == "no-such-command: command not found in PATH")
    let path = try failure("/no/such/command")
    #expect(path.exitStatus == 127)
    #expect(path.message.text == "/no/such/command: No such file or directory")
    #expect(try failure("").exitStatus == 127)
  }

  @Test func commandsThatCannotBeExecuted() throws {
    try scratch.write("plain", "text", mode: 0o644)
    let plain = try failure(scratch.path + "/plain")
    #expect(plain.exitStatus == 126 && plain.errno == UInt32(EACCES))
    try MadeProgram.write(scratch.path + "/garbage", "\u{1}\u{2}")
    let garbage = try failure(scratch.path + "/garbage")
    #expect(garbage.exitStatus == 126 && garbage.errno == UInt32(ENOEXEC))
    let directory = try failure(scratch.path)
    #expect(directory.exitStatus == 126 && directory.message.text == "\(scratch.path): is a directory")
    try MadeProgram.write(scratch.path + "/script", "#!/no/such/interpreter\n")
    let script = try failure(scratch.path + "/script")
    #expect(script.exitStatus == 126 && script.errno == UInt32(ENOENT))
    #expect(script.message.text == "\(scratch.path)/script: its interpreter or loader is missing")
  }

  @Test func requestsThatCannotBeMet() throws {
    let directory = try failure("true", directory: "/no/such/place")
    #expect(directory.exitStatus == 125)
    #expect(directory.message.text == "working directory /no/such/place: No such file or directory")
    for user in ["no-such-user", "0:no-such-group", "a:b:c", "4294967295", "99999999999"] {
      let unknown = try failure("true", user: user)
      #expect(unknown.exitStatus == 125 && unknown.message.text.hasPrefix("no "), "\(user): \(unknown.message.text)")
    }
  }

  /// Nothing has lost its host.
  @Test func nothingToResume() throws {
    let result = try agent.run(Command(arguments: ["resume".bytes], options: .builtIn))
    let failure = try #require(result.failure)
    #expect(result.frames.count == 1 && failure.kind == .notFound)
    #expect(failure.message.text == "no command waits for its host")
  }

  @Test func hostileBytes() throws {
    // Each of these in the place of the first frame, whole and then cut short.
    let exec = try Frame.exec(Command(arguments: ["true".bytes])).encoded()
    let hostile: [[UInt8]] = [
      Array(repeating: 0xff, count: 64), [0, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
      try Frame.stdin([1]).encoded(), try Frame.synced.encoded(), try Frame.exited(code: 0).encoded(),
      exec + exec, exec + [99, 0, 0, 0, 0, 0, 0, 0],
    ]
    for bytes in hostile {
      let stream = try agent.connect()
      try stream.send(bytes: bytes)
      // A command that is over before the rest is read is as good an end.
      let end = try stream.finish().end
      let isRefused = if case .failed(let failure) = end { failure.kind == .protocolViolation } else { false }
      #expect(isRefused || end == .exited(code: 0), "\(bytes.prefix(8)) ended with \(String(describing: end))")
    }
    for length in 0..<exec.count {
      let stream = try agent.connect()
      try stream.send(bytes: Array(exec[..<length]))
      stream.hangUp()
    }
    #expect(try agent.run("true").end == .exited(code: 0), "the agent is none the worse")
  }

  @Test func lostConnectionHangsTheCommandUp() throws {
    let polite = try agent.connect()
    try polite.send(.exec(Command(arguments: ["sleep", "60"].map(\.bytes))))
    guard case .started(let politePid) = try polite.next() else { throw TestFailure("did not start") }
    polite.hangUp()
    try expectGone(Int32(politePid))

    let stubborn = try agent.connect()
    let script = "trap '' HUP; echo ready; while :; do sleep 60; done"
    try stubborn.send(.exec(Command(arguments: ["sh", "-c", script].map(\.bytes))))
    guard case .started(let stubbornPid) = try stubborn.next() else { throw TestFailure("did not start") }
    try stubborn.output(until: "ready")
    stubborn.hangUp()
    try expectGone(Int32(stubbornPid))
  }

  @Test func keepsNoDescriptorsOfPastCommands() throws {
    func descriptors() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(agent.processIdentifier)/fd").count
    }
    _ = try agent.run("true")
    usleep(100_000)
    let before = try descriptors()
    for _ in 0..<30 {
      _ = try agent.run("true")
      _ = try agent.run("no-such-command")
      _ = try agent.run(Command(arguments: ["true".bytes], options: .terminal))
    }
    usleep(100_000)
    #expect(try descriptors() == before)
  }
}

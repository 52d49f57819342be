import AgentProtocol
import Foundation
import Testing

/// Commands on pipes.
@Suite struct CommandTests {
  let agent: GuestAgent

  init() throws { agent = try GuestAgent() }

  @Test func exitsWithTheCommandsCode() throws {
    for code in [0, 1, 7, 125, 255] {
      let result = try agent.run("sh", "-c", "exit \(code)")
      #expect(result.frames.map(\.type) == [.started, .exited])
      #expect(result.end == .exited(code: UInt8(code)))
    }
  }

  @Test func tellsTheSignalThatEndedIt() throws {
    for number in [SIGKILL, SIGTERM, SIGSEGV] {
      #expect(try agent.run("sh", "-c", "kill -\(number) $$").end == .signaled(UInt8(number)))
    }
  }

  @Test func keepsOutputAndErrorsApart() throws {
    let result = try agent.run("sh", "-c", "printf 'a\\000\\377'; printf 'b\\n' >&2; printf c")
    #expect(result.stdout == [0x61, 0, 0xff, 0x63])
    #expect(result.stderr.text == "b\n")
  }

  @Test func passesOneHundredMegabytes() throws {
    // Not a power of two, and no repetition shorter than the whole: a lost or doubled piece shows.
    var state: UInt64 = 1
    var input: [UInt8] = []
    input.reserveCapacity(100_000_008)
    while input.count < 100_000_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      withUnsafeBytes(of: state) { input.append(contentsOf: $0) }
    }
    let sum = Data(input).withUnsafeBytes { bytes in
      bytes.bindMemory(to: UInt64.self).reduce(UInt64(0)) { ($0 &* 31) &+ $1 }
    }
    let result = try agent.run(Command(arguments: ["cat".bytes], options: .input), input: input)
    #expect(result.end == .exited(code: 0))
    #expect(result.stdout.count == input.count)
    let echoed = Data(result.stdout).withUnsafeBytes { bytes in
      bytes.bindMemory(to: UInt64.self).reduce(UInt64(0)) { ($0 &* 31) &+ $1 }
    }
    #expect(echoed == sum)
  }

  @Test func endsInputAtOnceWithoutInput() throws {
    let result = try agent.run("cat")
    #expect(result.stdout.isEmpty && result.end == .exited(code: 0))
  }

  @Test func keepsWhatIsWrittenJustBeforeTheEnd() throws {
    // More than a pipe holds, so that some of it is still in there when the process is gone.
    for _ in 0..<20 {
      let result = try agent.run("sh", "-c", "head -c 300000 /dev/zero; head -c 60000 /dev/zero >&2")
      #expect(result.stdout.count == 300_000 && result.stderr.count == 60_000)
    }
  }

  @Test func doesNotWaitForDaemons() throws {
    let start = ContinuousClock.now
    let result = try agent.run("sh", "-c", "sleep 60 & echo $!")
    #expect(result.end == .exited(code: 0))
    #expect(ContinuousClock.now - start < .seconds(20))
    if let daemon = Int32(result.stdout.text.trimmingCharacters(in: .newlines)) { kill(daemon, SIGKILL) }
  }

  @Test func stopsTakingInputThatNobodyReads() throws {
    // The command closes its input unread: the window must go on opening, or the host would wait for ever.
    let input = [UInt8](repeating: 7, count: 3 << 20)
    let command = Command(arguments: ["sh", "-c", "exec <&-; sleep 0.2; echo done"].map(\.bytes), options: .input)
    let result = try agent.run(command, input: input)
    #expect(result.stdout.text == "done\n" && result.end == .exited(code: 0))
  }

  @Test func holdsTheHostToTheWindow() throws {
    let stream = try agent.connect()
    try stream.send(.exec(Command(arguments: ["sleep", "60"].map(\.bytes), options: .input)))
    guard case .started(let pid) = try stream.next() else { throw TestFailure("did not start") }
    // A pipe takes 64 KiB of it, so the second window cannot all have been given back.
    let frames = 2 * Int(Agent.initialInputWindow) / Agent.payloadLimit
    for _ in 0..<frames { try stream.send(.stdin(Array(repeating: 0, count: Agent.payloadLimit))) }
    let result = try stream.finish()
    #expect(result.failure?.kind == .protocolViolation)
    try expectGone(Int32(pid))
  }

  @Test func signalsReachTheProcessGroupPastUnreadInput() throws {
    let stream = try agent.connect()
    let script = "trap 'echo caught; exit 3' USR1; echo ready; while :; do sleep 0.05; done"
    try stream.send(.exec(Command(arguments: ["sh", "-c", script].map(\.bytes), options: .input)))
    try stream.output(until: "ready")
    for _ in 0..<4 { try stream.send(.stdin(Array(repeating: 0, count: Agent.payloadLimit))) }
    try stream.send(.signal(UInt8(SIGUSR1)))
    let result = try stream.finish()
    #expect(result.stdout.text == "caught\n" && result.end == .exited(code: 3))
  }

  @Test func signalSentBeforeTheStartArrives() throws {
    let stream = try agent.connect()
    try stream.send(.exec(Command(arguments: ["sleep", "60"].map(\.bytes))))
    try stream.send(.signal(UInt8(SIGTERM)))
    #expect(try stream.finish().end == .signaled(UInt8(SIGTERM)))
  }

  @Test func passesEnvironmentAndDirectory() throws {
    let result = try agent.run(
      Command(
        arguments: ["sh", "-c", "pwd; env"].map(\.bytes), environment: ["A=b c".bytes, "HOME=/elsewhere".bytes],
        directory: "/usr/bin".bytes))
    let lines = Set(result.stdout.text.split(separator: "\n"))
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    #expect(lines.isSuperset(of: ["/usr/bin", "A=b c", "HOME=/elsewhere", path[...]]))
    #expect(!lines.contains { $0.hasPrefix("TERM=") })
  }

  @Test func looksForTheCommandInItsOwnPath() throws {
    let directory = try ScratchDirectory()
    // A file written here may still be open for writing in what another test starts, and then cannot be executed.
    try FileManager.default.createSymbolicLink(atPath: "\(directory.path)/tool", withDestinationPath: "/bin/echo")
    let result = try agent.run(
      Command(arguments: ["tool", "mine"].map(\.bytes), environment: ["PATH=/nonexistent:\(directory.path)".bytes]))
    #expect(result.stdout.text == "mine\n")
  }

  @Test func runsSeveralAtOnce() throws {
    let streams = try (0..<20).map { _ in try agent.connect() }
    for (index, stream) in streams.enumerated() {
      let script = "read line; echo $line; exit \(index)"
      try stream.send(.exec(Command(arguments: ["sh", "-c", script].map(\.bytes), options: .input)))
    }
    for (index, stream) in streams.enumerated().reversed() {
      let result = try stream.finish(input: "line \(index)\n".bytes)
      #expect(result.stdout.text == "line \(index)\n" && result.end == .exited(code: UInt8(index)))
    }
  }

  @Test func reapsOrphans() throws {
    let result = try agent.run("sh", "-c", "(sleep 0.1 & echo $!)")
    let orphan = try #require(Int32(result.stdout.text.trimmingCharacters(in: .newlines)))
    try expectGone(orphan)
  }
}

/// Waits until no process has the identifier, not even an unreaped one.
func expectGone(_ identifier: Int32) throws {
  let deadline = ContinuousClock.now + .seconds(10)
  while kill(identifier, 0) == 0 {
    guard ContinuousClock.now < deadline else { throw TestFailure("process \(identifier) is still there") }
    usleep(10_000)
  }
}

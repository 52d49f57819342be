import AgentProtocol
import Foundation
import Host
import Testing

@testable import NovmKit

/// A command's stream against an agent that does what each test says.
struct SessionTests {
  private let command = Command(arguments: [Array("cmd".utf8)], options: .input)

  /// Runs a session to its end, or for a minute or so at most.
  private func run(
    _ agent: FakeAgent, _ command: Command? = nil, input: Int32? = nil, output: Int32, error: Int32,
    started: (Session) throws -> Void = { _ in }
  ) throws -> Session.End? {
    let loop = PollLoop()
    let connection = try AgentConnection(stream: agent.takeHostEnd())
    let session = try Session(
      command ?? self.command, on: connection, loop: loop, input: input, output: OutputStream(output),
      error: OutputStream(error))
    try loop.run(until: .after(milliseconds: 60_000)) { session.isStarted || session.result != nil }
    try started(session)
    try loop.run(until: .after(milliseconds: 90_000)) { session.result != nil }
    return session.result
  }

  @Test func keepsTheStreamsApart() throws {
    let (output, error) = (try TestPipe(), try TestPipe())
    let agent = try FakeAgent { agent in
      guard case .exec(let command)? = agent.receive() else { return }
      agent.send(
        .started(pid: 1), .stdout(command.arguments[0]), .stderr([0xff, 0, 0x0a]), .stdout([0]), .exited(code: 42))
    }
    let end = try run(agent, output: output.writer, error: error.writer)
    #expect(end == .exited(42))
    close(output.writer)
    close(error.writer)
    #expect(output.drain() == Array("cmd".utf8) + [0])
    #expect(error.drain() == [0xff, 0, 0x0a])
    agent.join()
  }

  @Test func noTimeIsNoLimit() throws {
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1), .exited(code: 0))
    }
    let end = try run(agent, output: -1, error: -1) { session in
      #expect(CommandTimeout(session, seconds: 0).deadline == nil)
      #expect(CommandTimeout(session, seconds: 1).deadline != nil)
    }
    #expect(end == .exited(0))
    agent.join()
  }

  private static let size = 24 << 20

  /// Much to the guest, within the window that it grants, and the end of input after it.
  @Test func muchInput() throws {
    let (input, output) = (try TestPipe(), try TestPipe())
    let writer = try PosixThread("writer") {
      let descriptor = FileDescriptor(owning: input.writer)
      for offset in stride(from: 0, to: Self.size, by: 1 << 20) {
        try! descriptor.writeAll(Pattern.bytes(at: offset, 1 << 20))
      }
    }
    nonisolated(unsafe) var (received, faults) = (0, 0)
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1))
      var window = Int(Agent.initialInputWindow)
      while let frame = agent.receive() {
        if case .stdin(let bytes) = frame {
          window -= bytes.count
          if window < 0 || !Pattern.matches(bytes, at: received) { faults += 1 }
          received += bytes.count
          if window < Int(Agent.initialInputWindow) / 2 {
            agent.send(.credit(100_000))
            window += 100_000
          }
        } else if frame == .endOfInput {
          agent.send(.exited(code: 0))
          return
        }
      }
    }
    let end = try run(agent, input: input.reader, output: output.writer, error: output.writer)
    #expect(end == .exited(0))
    writer.join()
    agent.join()
    #expect(received == Self.size)
    #expect(faults == 0)
  }

  /// Much from the guest to a reader that begins late: the guest is held back, nothing is lost.
  @Test func muchOutputToASlowReader() throws {
    let output = try TestPipe()
    nonisolated(unsafe) var (sent, sentBeforeReading) = (0, 0)
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1))
      while sent < Self.size {
        let bytes = Pattern.bytes(at: sent, min(Self.size - sent, 60_000))
        agent.send(.stdout(bytes))
        sent += bytes.count
      }
      agent.send(.exited(code: 0))
    }
    nonisolated(unsafe) var (received, faults) = (0, 0)
    let reader = try PosixThread("reader") {
      usleep(500_000)
      sentBeforeReading = sent
      var buffer = [UInt8](repeating: 0, count: 50_000)
      while received < Self.size {
        let count = read(output.reader, &buffer, buffer.count)
        if count <= 0 { return }
        if !Pattern.matches(Array(buffer[..<count]), at: received) { faults += 1 }
        received += count
      }
    }
    let end = try run(agent, output: output.writer, error: output.writer)
    #expect(end == .exited(0))
    reader.join()
    agent.join()
    #expect(received == Self.size)
    #expect(faults == 0)
    // Pipe, socket buffers and what the session may hold.
    #expect(sentBeforeReading < 2 << 20)
  }

  @Test func inputMayEndLongBeforeTheCommand() throws {
    let (input, output) = (try TestPipe(), try TestPipe())
    close(input.writer)
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1))
      guard agent.receive() == .endOfInput else { return }
      agent.send(.stdout(Array("after".utf8)), .exited(code: 0))
    }
    #expect(try run(agent, input: input.reader, output: output.writer, error: output.writer) == .exited(0))
    close(output.writer)
    #expect(output.drain() == Array("after".utf8))
    agent.join()
  }

  /// A command that reads nothing closes its window; a signal must pass all the same.
  @Test func signalsPassWaitingInput() throws {
    let (input, output) = (try TestPipe(), try TestPipe())
    let writer = try PosixThread("writer") {
      let descriptor = FileDescriptor(owning: dup(input.writer))
      signal(SIGPIPE, SIG_IGN)
      try? descriptor.writeAll([UInt8](repeating: 0x61, count: 4 << 20))
    }
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1))
      while let frame = agent.receive() {
        if case .signal(let number) = frame {
          agent.send(.signaled(number))
          return
        }
      }
    }
    let end = try run(agent, input: input.reader, output: output.writer, error: output.writer) { session in
      try session.signal(SIGTERM)
    }
    #expect(end == .signaled(UInt8(SIGTERM)))
    #expect(end?.exitStatus == 143)
    close(input.reader)
    writer.join()
    agent.join()
  }

  @Test func aReaderThatLeavesEndsTheCommand() throws {
    let (output, error) = (try TestPipe(), try TestPipe())
    close(output.reader)
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1), .stdout([0x79, 0x0a]))
      if agent.receive() == .signal(UInt8(SIGPIPE)) { agent.send(.signaled(UInt8(SIGPIPE))) }
    }
    signal(SIGPIPE, SIG_IGN)
    #expect(try run(agent, output: output.writer, error: error.writer)?.exitStatus == 141)
    agent.join()
  }

  @Test func aCommandThatIgnoresItsLostReaderIsKilled() throws {
    let (output, error) = (try TestPipe(), try TestPipe())
    close(output.reader)
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1))
      for _ in 0..<64 { agent.send(.stdout([UInt8](repeating: 0x79, count: 32 << 10))) }
      while let frame = agent.receive() {
        if frame == .signal(UInt8(SIGKILL)) { return agent.send(.signaled(UInt8(SIGKILL))) }
      }
    }
    signal(SIGPIPE, SIG_IGN)
    #expect(try run(agent, output: output.writer, error: error.writer) == .signaled(UInt8(SIGKILL)))
    agent.join()
  }

  @Test func aFullDiskIsAFault() throws {
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1), .stdout([1]), .exited(code: 0))
    }
    let loop = PollLoop()
    let session = try Session(
      command, on: try AgentConnection(stream: agent.takeHostEnd()), loop: loop, input: nil,
      output: OutputStream(full), error: OutputStream(full))
    try loop.run(until: .after(milliseconds: 60_000)) { session.result != nil }
    #expect(session.result == .exited(0))
    #expect(session.outputFault == Errno(ENOSPC))
    agent.join()
  }

  @Test func aStreamThatEndsEarlyIsLost() throws {
    let output = try TestPipe()
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 1), .stdout([1, 2]))
    }
    #expect(try run(agent, output: output.writer, error: output.writer) == .lost)
    agent.join()
  }

  @Test func aCommandThatCannotRun() throws {
    let output = try TestPipe()
    let failure = Failure(kind: .notFound, errno: 2, message: Array("none".utf8))
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.failed(failure))
    }
    #expect(try run(agent, output: output.writer, error: output.writer) == .failed(failure))
    agent.join()
  }

  /// What a hostile guest might send: frames out of order, frames of the host, bytes that are no frame.
  @Test(arguments: [
    [Frame.stdout([1])], [.exited(code: 0)], [.started(pid: 1), .started(pid: 2)], [.credit(1)], [.stdin([1])],
    [.synced], [.clock(WallTime(seconds: 1, nanoseconds: 0))],
    [.started(pid: 1), .endOfInput],
  ])
  func framesThatDoNotBelongAreRefused(frames: [Frame]) throws {
    let output = try TestPipe()
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      for frame in frames { agent.send(frame) }
      _ = agent.receive()
    }
    #expect {
      _ = try run(agent, output: output.writer, error: output.writer)
    } throws: { error in
      if case NovmError.protocolViolation = error { true } else { false }
    }
    agent.join()
  }

  @Test func bytesThatAreNoFrameAreRefused() throws {
    let output = try TestPipe()
    let agent = try FakeAgent { agent in agent.sendBytes([0xee, 1, 2, 3, 4, 5, 6, 7, 8]) }
    #expect(throws: NovmError.protocolViolation(.unknownType(0xee))) {
      _ = try run(agent, output: output.writer, error: output.writer)
    }
    agent.join()
  }

  @Test func resizesOnlyATerminal() throws {
    for isTerminal in [false, true] {
      let output = try TestPipe()
      var command = command
      if isTerminal { command.options.insert(.terminal) }
      nonisolated(unsafe) var seen: [Frame] = []
      let agent = try FakeAgent { agent in
        guard case .exec? = agent.receive() else { return }
        agent.send(.started(pid: 1))
        while let frame = agent.receive() {
          seen.append(frame)
          if frame == .signal(1) { return agent.send(.exited(code: 0)) }
        }
      }
      _ = try run(agent, command, output: output.writer, error: output.writer) { session in
        try session.resize(WindowSize(rows: 40, columns: 120))
        try session.signal(1)
      }
      agent.join()
      #expect(seen.contains(.resize(WindowSize(rows: 40, columns: 120))) == isTerminal)
    }
  }
}

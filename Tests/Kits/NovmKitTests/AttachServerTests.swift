import AgentProtocol
import Foundation
import HostTesting
import Testing

@testable import NovmKit

/// The command of a machine in the background, and those who attach to it.
struct AttachServerTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A command that echoes its input, with an attached client that sends some and ends by what the command says.
  @Test func inputOutputSignalsAndTheEnd() throws {
    let loop = PollLoop()
    let server = try AttachServer(at: directory.path + "/attach", loop: loop, takesInput: true)
    let agent = try FakeAgent { agent in
      guard case .exec? = agent.receive() else { return }
      agent.send(.started(pid: 7))
      while let frame = agent.receive() {
        switch frame {
        case .stdin(let bytes): agent.send(.stdout(bytes), .credit(UInt32(bytes.count)))
        case .signal(let number): return agent.send(.stderr([number]), .exited(code: 9))
        default: agent.send(.stderr(Array("\(frame)".utf8)))
        }
      }
    }
    let log = ErrorText()
    let session = try Session(
      Command(arguments: [[0x61]], options: .input), on: AgentConnection(stream: agent.takeHostEnd()), loop: loop,
      input: server.input, output: server.tee(.stdout, log), error: server.tee(.stderr, ErrorText()))
    server.serve(session)
    try loop.run(until: .after(milliseconds: 20_000)) { session.isStarted }

    let pipe = try TestPipe()
    let shown = (ErrorText(), ErrorText())
    let client = try Session(
      Command(arguments: []), on: AgentConnection(socket: directory.path + "/attach"), loop: loop, input: pipe.reader,
      output: shown.0, error: shown.1, isRunning: true)
    _ = "hello\n".utf8CString.withUnsafeBytes { Foundation.write(pipe.writer, $0.baseAddress, 6) }
    try loop.run(until: .after(milliseconds: 20_000)) { shown.0.lastLine == "hello" }
    #expect(shown.0.lastLine == "hello" && log.lastLine == "hello")
    // Its end is not the command's.
    close(pipe.writer)
    // A second one comes and goes.
    let other = try Session(
      Command(arguments: []), on: AgentConnection(socket: directory.path + "/attach"), loop: loop, input: nil,
      output: ErrorText(), error: ErrorText(), isRunning: true)
    try loop.run(until: .after(milliseconds: 20_000)) { other.isStarted }
    other.leave(loop)
    try client.signal(SIGUSR2)
    try loop.run(until: .after(milliseconds: 20_000)) { session.result != nil }
    #expect(session.result == .exited(9))
    try server.finish(session.result)
    try loop.run(until: .after(milliseconds: 20_000)) { client.result != nil }
    #expect(client.result == .exited(9))
    #expect(shown.1.lastLine == String(printable: [UInt8(SIGUSR2)]))
    session.leave(loop)
    agent.join()
    close(pipe.reader)
  }
}

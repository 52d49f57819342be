import AgentProtocol
import Foundation
import Testing

/// Commands on a terminal.
@Suite struct TerminalTests {
  let agent: GuestAgent

  init() throws { agent = try GuestAgent() }

  private func start(_ script: String, _ rows: UInt16 = 24, _ columns: UInt16 = 80) throws -> AgentStream {
    let stream = try agent.connect()
    let command = Command(
      arguments: ["sh", "-c", script].map(\.bytes), options: [.terminal, .input],
      window: WindowSize(rows: rows, columns: columns))
    try stream.send(.exec(command))
    return stream
  }

  @Test func isATerminalOfTheSizeAskedFor() throws {
    let result = try start("test -t 0 && test -t 1 && test -t 2 && tty && stty size && echo $TERM", 33, 77).finish()
    let lines = result.stdout.text.split(separator: "\r\n")
    #expect(lines.count == 3 && lines.first?.hasPrefix("/dev/pts/") == true)
    #expect(lines.dropFirst() == ["33 77", "xterm"])
    #expect(result.stderr.isEmpty && result.end == .exited(code: 0))
  }

  @Test func resizes() throws {
    let stream = try start("trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done")
    try stream.output(until: "ready")
    try stream.send(.resize(WindowSize(rows: 40, columns: 132)))
    #expect(try stream.finish().stdout.text.contains("40 132"))
  }

  @Test func controlCInterrupts() throws {
    let stream = try start("echo ready; exec sleep 60")
    try stream.output(until: "ready")
    try stream.send(.stdin([3]))
    #expect(try stream.finish().end == .signaled(UInt8(SIGINT)))
  }

  @Test func endOfInputEndsALineAndAnUnfinishedOne() throws {
    for text in ["", "whole\n", "part"] {
      let stream = try start("stty -echo; echo ready; cat; echo end")
      try stream.output(until: "ready\r\n")
      let result = try stream.finish(input: text.bytes)
      let shown = text.replacingOccurrences(of: "\n", with: "\r\n")
      #expect(result.stdout.text == shown + "end\r\n")
      #expect(result.end == .exited(code: 0))
    }
  }

  @Test func runsAShellWithJobControl() throws {
    let stream = try start("exec bash --norc --noprofile -i")
    try stream.send(.stdin("PS1=; sh -c 'echo runn\"ing\"; exec sleep 60'\n".bytes))
    try stream.output(until: "running")
    try stream.send(.stdin([0x1a]))  // Ctrl-Z
    try stream.output(until: "Stopped")
    try stream.send(.stdin("kill %1; wait; echo jobs left: $(jobs -r | wc -l); exit 9\n".bytes))
    let result = try stream.finish()
    #expect(result.stdout.text.contains("jobs left: 0"))
    #expect(result.end == .exited(code: 9))
  }

  @Test func hangsUpWithTheConnection() throws {
    let stream = try start("echo ready; exec sleep 60")
    guard case .started(let pid) = try stream.next() else { throw TestFailure("did not start") }
    try stream.output(until: "ready")
    stream.hangUp()
    try expectGone(Int32(pid))
  }
}

import AgentProtocol
import Foundation
import Testing

/// The end, and the beginning: `shutdown`, and `hello`.
@Suite struct ShutdownTests {
  let agent: GuestAgent

  init() throws { agent = try GuestAgent() }

  @Test func asksBeforeItKills() throws {
    let running = try agent.connect()
    let script = "trap 'echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    try running.send(.exec(Command(arguments: ["sh", "-c", script].map(\.bytes))))
    try running.output(until: "ready")
    let stream = try agent.connect()
    try stream.send(.shutdown(.powerOff))
    #expect(try running.finish().stdout.text == "tidy\n")
    #expect(try stream.finish().frames == [.synced])
    #expect(agent.waitForExit() == 0)
  }

  @Test func hangsUpInteractiveShells() throws {
    let shell = try agent.connect()
    let arguments = ["bash", "--norc", "--noprofile", "-i"].map(\.bytes)
    let command = Command(arguments: arguments, options: [.terminal, .input])
    try shell.send(.exec(command))
    try shell.send(.stdin("echo rea''dy\n".bytes))
    try shell.output(until: "ready")
    let stream = try agent.connect()
    try stream.send(.shutdown(.powerOff))
    #expect(try shell.finish().end == .signaled(UInt8(SIGHUP)), "bash ignores SIGTERM when interactive")
    #expect(try stream.finish().frames == [.synced])
  }

  @Test func killsWhatDoesNotEnd() throws {
    let running = try agent.connect()
    let script = "trap '' TERM HUP; echo ready; while :; do sleep 60; done"
    try running.send(.exec(Command(arguments: ["sh", "-c", script].map(\.bytes))))
    try running.output(until: "ready")
    let stream = try agent.connect()
    try stream.send(.shutdown(.reboot))
    #expect(try running.finish().end == .signaled(UInt8(SIGKILL)))
    #expect(try stream.finish().frames == [.synced])
    #expect(agent.waitForExit() == 0)
  }

  @Test func endsAtOnceWhenAskedTo() throws {
    let running = try agent.connect()
    try running.send(.exec(Command(arguments: ["sh", "-c", "trap '' TERM; echo ready; sleep 60"].map(\.bytes))))
    try running.output(until: "ready")
    let start = ContinuousClock.now
    let stream = try agent.connect()
    try stream.send(.shutdown(.end))
    #expect(try stream.finish().frames == [.synced])
    #expect(ContinuousClock.now - start < .milliseconds(1500), "without the time that SIGTERM gives")
    #expect(agent.waitForExit() == 0)
  }

  @Test func goesOnWithoutTheHostThatAsked() throws {
    let stream = try agent.connect()
    try stream.send(.shutdown(.powerOff))
    stream.hangUp()
    #expect(agent.waitForExit() == 0)
  }

  @Test func greetsTheHost() throws {
    let listener = try Listener(path: agent.path + "_\(Agent.port)")
    let stream = try listener.accept(within: 10)
    guard case .hello(let hello) = try stream.next() else { throw TestFailure("no hello") }
    #expect(hello.version == Agent.version)
    let release = try String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
    #expect(hello.kernelRelease.text + "\n" == release)
  }
}

import AgentProtocol
import Foundation
import Testing

/// What the agent does itself, and commands that it leaves alone.
@Suite struct BuiltInTests {
  let agent: GuestAgent
  let scratch: ScratchDirectory

  init() throws {
    agent = try GuestAgent()
    scratch = try ScratchDirectory()
  }

  private func builtIn(_ arguments: String..., input: [UInt8]? = nil) throws -> AgentStream.Result {
    var options: Command.Options = .builtIn
    if input != nil { options.insert(.input) }
    return try agent.run(Command(arguments: arguments.map(\.bytes), options: options), input: input ?? [])
  }

  private func records(_ bytes: [UInt8]) throws -> [(record: FileRecord, data: [UInt8])] {
    var decoder = FileStreamDecoder()
    var files: [(FileRecord, [UInt8])] = []
    var offset = 0
    while let piece = try decoder.next(bytes, from: &offset) {
      switch piece {
      case .record(let record): files.append((record, []))
      case .data(let range): files[files.count - 1].1 += bytes[range]
      case .end: break
      }
    }
    #expect(decoder.isAtEnd)
    return files
  }

  @Test func treesComeBackAsTheyWere() throws {
    let tree = scratch.path + "/tree"
    let big = [UInt8]((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    try FileManager.default.createDirectory(atPath: tree + "/sub/deep", withIntermediateDirectories: true)
    try Data(big).write(to: URL(filePath: tree + "/sub/big"))
    try Data().write(to: URL(filePath: tree + "/empty"))
    #expect(symlink("/etc/../nowhere", tree + "/link") == 0)
    #expect(mkfifo(tree + "/fifo", 0o600) == 0)
    #expect(chmod(tree + "/sub", 0o2750) == 0)
    var times = [timeval(tv_sec: 0, tv_usec: 0), timeval(tv_sec: 1_000_000, tv_usec: 500_000)]
    #expect(utimes(tree + "/sub/big", &times) == 0)

    let sent = try builtIn("send", "", tree)
    #expect(sent.frames.map(\.type) == [.started, .exited] && sent.end == .exited(code: 0))
    let files = try records(sent.stdout)
    #expect(
      files.map(\.record.path.text) == [
        "tree", "tree/empty", "tree/fifo", "tree/link", "tree/sub", "tree/sub/big",
        "tree/sub/deep",
      ])
    #expect(files[5].data == big)
    #expect(files[3].record.target.text == "/etc/../nowhere")

    // Under another name, and then into it.
    #expect(try builtIn("receive", "-a", scratch.path + "/copy", input: sent.stdout).end == .exited(code: 0))
    #expect(try builtIn("receive", "", scratch.path + "/copy", input: sent.stdout).end == .exited(code: 0))
    for place in ["copy", "copy/tree"] {
      let back = try records(builtIn("send", "", scratch.path + "/\(place)/.").stdout).filter {
        !$0.record.path.starts(with: "tree".bytes)
      }
      #expect(back.map(\.data) == files.map(\.data), "\(place)")
      #expect(back[5].record.seconds == 1_000_000 && back[5].record.nanoseconds == 500_000_000)
      #expect(back.map(\.record.kind) == files.map(\.record.kind))
      // Without -a, set-id bits go.
      #expect(back[4].record.mode == (place == "copy" ? 0o2750 : 0o750))
    }
  }

  @Test func filesReplaceFilesAndNotDirectories() throws {
    let (from, to) = (scratch.path + "/from", scratch.path + "/to")
    try Data("new".utf8).write(to: URL(filePath: from))
    try Data("old".utf8).write(to: URL(filePath: scratch.path + "/target"))
    #expect(symlink(scratch.path + "/target", to) == 0)
    let sent = try builtIn("send", "", from).stdout
    #expect(try builtIn("receive", "", to, input: sent).end == .exited(code: 0))
    // The link is replaced, not followed.
    #expect(try String(contentsOfFile: to, encoding: .utf8) == "new")
    #expect(try String(contentsOfFile: scratch.path + "/target", encoding: .utf8) == "old")
    let refused = try builtIn("receive", "", scratch.path + "/missing/", input: sent)
    #expect(refused.end == .exited(code: 1))
    #expect(refused.stderr.text == "\(scratch.path)/missing: no such directory\n")
    let short = try builtIn("receive", "", to, input: Array(sent.dropLast(60)))
    #expect(short.end == .exited(code: 1) && short.stderr.text.contains("cut short"))
    #expect(
      try builtIn("receive", "", to, input: "nonsense that is longer than a record's head, which has 52".bytes).end
        == .exited(code: 1))
  }

  @Test func linksAreFollowedWhereAsked() throws {
    try Data("there".utf8).write(to: URL(filePath: scratch.path + "/file"))
    #expect(symlink("file", scratch.path + "/link") == 0)
    #expect(try records(builtIn("send", "", scratch.path + "/link").stdout).map(\.record.kind) == [.symlink])
    let followed = try records(builtIn("send", "-L", scratch.path + "/link").stdout)
    #expect(followed.map(\.record.path.text) == ["link"] && followed.map(\.data.text) == ["there"])
    let missing = try builtIn("send", "", scratch.path + "/missing")
    #expect(missing.end == .exited(code: 1))
    #expect(missing.stderr.text == "\(scratch.path)/missing: No such file or directory\n")
  }

  @Test func theKernelsOwnFilesAreWhole() throws {
    let files = try records(builtIn("send", "", "/proc/version").stdout)
    #expect(files.map(\.data.text) == [try String(contentsOfFile: "/proc/version", encoding: .utf8)])
  }

  @Test func processesAndUsage() throws {
    let processes = try records(builtIn("processes").stdout)
    let own = processes.first { $0.record.path == "\(agent.processIdentifier)/cmdline".bytes }
    #expect(own?.data.split(separator: 0).dropFirst().first.map { Array($0).text } == "agent")
    #expect(processes.contains { $0.record.path == "uptime".bytes })
    let usage = try records(builtIn("usage").stdout)
    #expect(usage.map(\.record.path.text) == ["stat", "meminfo", "uptime", "loadavg", "root"])
    #expect(usage.last?.data.text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.count == 2)
  }

  @Test func nothingElseIsBuiltIn() throws {
    for arguments in [["frobnicate"], ["send"], ["send", "-x", "/"], ["send", "", "/", "more"]] {
      let result = try agent.run(Command(arguments: arguments.map(\.bytes), options: .builtIn))
      #expect(result.end == .exited(code: 1), "\(arguments)")
      #expect(!result.stderr.isEmpty)
    }
    #expect(
      try agent.run(Command(arguments: ["usage".bytes], options: [.builtIn, .terminal])).failure?.kind
        == .protocolViolation)
  }

  /// A built-in is a process without exec: it must not keep what belongs to other commands.
  @Test func endsOfOtherCommandsAreTheirOwn() throws {
    let reader = try agent.connect()
    try reader.send(.exec(Command(arguments: ["cat".bytes], options: .input)))
    let receiver = try agent.connect()
    try receiver.send(
      .exec(Command(arguments: ["receive", "", "/nowhere"].map(\.bytes), options: [.builtIn, .input])))
    #expect(try receiver.next()?.type == .started)
    // The receiver waits for its input, and the reader must see the end of its own.
    #expect(try reader.finish(input: "x".bytes).end == .exited(code: 0))
    receiver.hangUp()
  }

  @Test func detachedCommandsGoOn() throws {
    let mark = scratch.path + "/mark"
    let result = try agent.run(
      Command(arguments: ["sh", "-c", "echo lost; sleep 0.3; echo done >\(mark)"].map(\.bytes), options: .detached))
    #expect(result.frames.map(\.type) == [.started] && result.stdout.isEmpty)
    let deadline = ContinuousClock.now + .seconds(20)
    while (try? String(contentsOfFile: mark, encoding: .utf8)) != "done\n", ContinuousClock.now < deadline {
      usleep(20_000)
    }
    #expect(try String(contentsOfFile: mark, encoding: .utf8) == "done\n")
    let missing = try agent.run(Command(arguments: ["/no/such".bytes], options: .detached))
    #expect(missing.failure?.exitStatus == 127)
  }
}

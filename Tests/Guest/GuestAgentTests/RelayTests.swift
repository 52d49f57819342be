import AgentProtocol
import Foundation
import Testing

/// `connect`: the agent's way to ports and sockets of its guest.
@Suite struct RelayTests {
  let agent: GuestAgent
  let scratch: ScratchDirectory

  init() throws {
    agent = try GuestAgent()
    scratch = try ScratchDirectory()
  }

  private func connect(_ kind: String, _ place: String, input: [UInt8]) throws -> AgentStream.Result {
    let command = Command(arguments: ["connect", kind, place].map(\.bytes), options: [.builtIn, .input])
    return try agent.run(command, input: input)
  }

  /// A server in a few words of Python, which says when it can be reached, and at which port.
  private func server(_ script: String) throws -> (process: Process, place: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-uc", "import socket,sys\n" + script]
    process.currentDirectoryURL = URL(filePath: scratch.path)
    let output = Foundation.Pipe()
    process.standardOutput = output
    try process.run()
    var line = ""
    while !line.hasSuffix("\n") {
      let more = output.fileHandleForReading.availableData
      guard !more.isEmpty else { throw TestFailure("the server ended") }
      line += String(decoding: more, as: UTF8.self)
    }
    return (process, String(line.dropLast()))
  }

  /// Also one that waits for what never came.
  private func end(_ server: Process) {
    if server.isRunning { kill(server.processIdentifier, SIGKILL) }
    server.waitUntilExit()
  }

  /// The end of what one side says does not cut the other short.
  @Test(arguments: ["AF_INET", "AF_INET6", "AF_UNIX"])
  func streamsGoBothWays(family: String) throws {
    let place = family == "AF_UNIX" ? "'socket'" : family == "AF_INET" ? "('127.0.0.1', 0)" : "('::1', 0)"
    let (server, port) = try server(
      """
      s = socket.socket(socket.\(family))
      s.bind(\(place))
      s.listen()
      print(s.getsockname()[1] if isinstance(s.getsockname(), tuple) else s.getsockname())
      c, _ = s.accept()
      data = b''
      while more := c.recv(65536): data += more
      c.sendall(data[::-1])
      """)
    defer { end(server) }
    let input = [UInt8]((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 13 >> 3) })
    let isUnix = family == "AF_UNIX"
    let result = try connect(isUnix ? "unix" : "tcp", isUnix ? "\(scratch.path)/\(port)" : port, input: input)
    #expect(result.end == .exited(code: 0) && result.stderr.isEmpty)
    #expect(result.stdout == input.reversed())
  }

  /// Who answers more than is read, and hears more than it reads, waits and is not lost.
  @Test func bothWaysAtOnce() throws {
    let (server, port) = try server(
      """
      s = socket.socket()
      s.bind(('127.0.0.1', 0))
      s.listen()
      print(s.getsockname()[1])
      c, _ = s.accept()
      while more := c.recv(65536): c.sendall(more)
      """)
    defer { end(server) }
    let input = [UInt8]((0..<4_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) })
    let result = try connect("tcp", port, input: input)
    #expect(result.end == .exited(code: 0) && result.stdout == input)
  }

  /// Nothing comes to its end by itself here: a datagram socket has none.
  @Test func endsWithWhoReadsIt() throws {
    let (server, port) = try server(
      """
      s = socket.socket(type=socket.SOCK_DGRAM)
      s.bind(('127.0.0.1', 0))
      print(s.getsockname()[1])
      s.recv(1)
      """)
    defer { end(server) }
    let stream = try agent.connect()
    let command = Command(arguments: ["connect", "udp", port].map(\.bytes), options: [.builtIn, .input])
    try stream.send(.exec(command))
    guard case .started(let relay) = try stream.next() else { throw TestFailure("did not start") }
    kill(agent.processIdentifier, SIGKILL)
    try withExtendedLifetime(stream) { try expectGone(Int32(relay)) }
  }

  @Test func datagramsStayWhole() throws {
    let (server, port) = try server(
      """
      s = socket.socket(type=socket.SOCK_DGRAM)
      s.settimeout(60)
      s.bind(('127.0.0.1', 0))
      print(s.getsockname()[1])
      while True:
        data, sender = s.recvfrom(65536)
        if data == b'end': break
        s.sendto(data * 2, sender)
      """)
    defer { end(server) }
    let stream = try agent.connect()
    let command = Command(arguments: ["connect", "udp", port].map(\.bytes), options: [.builtIn, .input])
    try stream.send(.exec(command))
    var answers: [[UInt8]] = []
    var decoder = DatagramStream()
    for sample in ["one", "", String(repeating: "x", count: 20_000)].map(\.bytes) {
      var bytes: [UInt8] = []
      DatagramStream.encode(sample, into: &bytes)
      try stream.send(.stdin(bytes))
      let count = answers.count
      while answers.count == count, let frame = try stream.next() {
        if case .stdout(let bytes) = frame { answers += decoder.take(bytes) }
      }
      #expect(answers.last == sample + sample)
    }
    var last: [UInt8] = []
    DatagramStream.encode("end".bytes, into: &last)
    try stream.send(.stdin(last))
    // Who hangs up ends the relay, whatever it had still to pass on.
    withExtendedLifetime(stream) { server.waitUntilExit() }
    #expect(server.terminationStatus == 0)
  }

  @Test(arguments: [
    (["tcp", "1"], "tcp 1: Connection refused"), (["unix", "/nowhere"], "unix /nowhere: No such file or directory"),
    (["tcp", "70000"], "tcp 70000: Invalid argument"), (["sctp", "1"], "sctp 1: Invalid argument"),
  ])
  func whatCannotBeReachedIsSaid(words: [String], text: String) throws {
    let result = try connect(words[0], words[1], input: [])
    #expect(result.end == .exited(code: 1) && result.stderr.text == text + "\n")
  }
}

import AgentProtocol
import Foundation
import Host
import HostTesting
import Logging
import Testing

@testable import NovmKit

/// Published ports, with an agent that echoes.
struct PortForwardsTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// What novmm's vsock socket and the agent behind it do, for so many streams.
  private func echo(streams: Int) throws -> PosixThread {
    let listener = try NovmKit.UnixSocket.listen(at: directory.path + "/vsock")
    let number = listener.release()
    return try PosixThread("vsock") {
      var threads: [PosixThread] = []
      for _ in 0..<streams {
        var entry = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 20_000) == 1 else { break }
        let socket = accept(number, nil, nil)
        guard let thread = try? PosixThread("agent", { Self.echo(over: socket) }) else { break }
        threads.append(thread)
      }
      for thread in threads { thread.join() }
      close(number)
    }
  }

  private static func echo(over socket: Int32) {
    defer { close(socket) }
    var byte: UInt8 = 0
    repeat { guard read(socket, &byte, 1) == 1 else { return } } while byte != UInt8(ascii: "\n")
    let agent = FakeAgent(over: socket)
    agent.sendBytes(Array("OK 1024\n".utf8))
    guard case .exec(let command)? = agent.receive() else { return }
    switch command.arguments.last {
    case Array("9".utf8):
      agent.send(.started(pid: 1), .stderr(Array("tcp 9: Connection refused\n".utf8)), .exited(code: 1))
    case Array("8".utf8):
      agent.sendBytes([UInt8](repeating: 0xff, count: 64))
    default:
      agent.send(.started(pid: 1))
      while let frame = agent.receive() {
        if case .stdin(let bytes) = frame { agent.send(.credit(UInt32(bytes.count)), .stdout(bytes)) }
        if case .endOfInput = frame { break }
      }
      agent.send(.exited(code: 0))
    }
  }

  private func forward(_ texts: [String], _ loop: PollLoop) throws -> PortForwards {
    let ports = try texts.flatMap { try #require(PublishedPort($0)).listeners }
    return try PortForwards(ports, vsock: directory.path + "/vsock", loop: loop, logger: Logger(label: "test"))
  }

  /// Of the system's choosing, and free a moment ago.
  private func freePort() throws -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 && getsockname(socket, $0, &length) == 0
      }
    }
    try #require(result)
    return UInt16(bigEndian: address.sin_port)
  }

  /// A program of this host's that speaks to a port, with the loop served meanwhile.
  private func python(_ script: String, _ loop: PollLoop) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", "-c", "import socket\n" + script]
    let output = Foundation.Pipe()
    process.standardOutput = output
    try process.run()
    while process.isRunning { try loop.run(until: .after(milliseconds: 20)) { false } }
    return String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
  }

  @Test func streamsAndTheirEnds() throws {
    let agent = try echo(streams: 4)
    let loop = PollLoop()
    let (port, refused, broken) = (try freePort(), try freePort(), try freePort())
    let path = directory.path + "/socket"
    do {
      let forwards = try forward(
        ["127.0.0.1:\(port):80", "127.0.0.1:\(refused):9", "[::1]:\(broken):8", "\(path):/run/x"], loop)
      forwards.open()
      let talk = """
        s.sendall(b'x' * 300000)
        s.shutdown(socket.SHUT_WR)
        data = b''
        while more := s.recv(65536): data += more
        print(len(data))
        """
      #expect(try python("s = socket.create_connection(('127.0.0.1', \(port)))\n" + talk, loop) == "300000\n")
      #expect(try python("s = socket.socket(socket.AF_UNIX)\ns.connect('\(path)')\n" + talk, loop) == "300000\n")
      // What the guest refuses, and an agent that makes no sense, are an error to who came, and to nobody else.
      for place in ["('127.0.0.1', \(refused))", "('::1', \(broken))"] {
        let script = """
          s = socket.create_connection(\(place))
          try: print(s.recv(1))
          except ConnectionResetError: print('reset')
          """
        #expect(try python(script, loop) == "reset\n")
      }
      agent.join()
      #expect(FileManager.default.fileExists(atPath: path))
      // Taken.
      #expect(throws: NovmError.publishing(.port(port, address: "127.0.0.1"), Errno(EADDRINUSE))) {
        try forward(["127.0.0.1:\(port):80"], PollLoop())
      }
      withExtendedLifetime(forwards) {}
    }
  }

  @Test func withoutAnAddressItIsTheLoopbackAlone() throws {
    let port = try freePort()
    let loop = PollLoop()
    let forwards = try forward(["\(port):80"], loop)
    let script = """
      for address in '127.0.0.1', '::1', '127.0.0.2':
        try: print(socket.create_connection((address, \(port))) and address)
        except OSError as error: print(error.strerror)
      """
    // 127.0.0.2 stands for every other address of this host.
    #expect(try python(script, loop) == "127.0.0.1\n::1\nConnection refused\n")
    withExtendedLifetime(forwards) {}
  }

  @Test func namesOfSocketsGo() throws {
    let path = directory.path + "/socket"
    do { _ = try forward(["\(path):80"], PollLoop()) }
    #expect(!FileManager.default.fileExists(atPath: path))
    // What is no socket is not replaced.
    try Data().write(to: URL(filePath: path))
    #expect(throws: NovmError.publishing(.socket(Array(path.utf8)), Errno(EADDRINUSE))) {
      try forward(["\(path):80"], PollLoop())
    }
    #expect(FileManager.default.fileExists(atPath: path))
  }

  @Test func datagrams() throws {
    let agent = try echo(streams: 2)
    let loop = PollLoop()
    let port = try freePort()
    let forwards = try forward(["\(port):53/udp"], loop)
    forwards.open()
    let script = """
      for place in ('127.0.0.1', '::1'):
        s = socket.socket(socket.AF_INET6 if ':' in place else socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(10)
        s.connect((place, \(port)))
        for data in (b'one', b'', b'x' * 9000):
          s.send(data)
          print(len(s.recv(65536)))
      """
    #expect(try python(script, loop) == "3\n0\n9000\n3\n0\n9000\n")
    withExtendedLifetime((forwards, agent)) {}
  }
}

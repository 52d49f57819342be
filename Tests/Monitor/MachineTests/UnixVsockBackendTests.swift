import Glibc
import Host
import Testing

@testable import Machine

struct UnixVsockBackendTests {
  @Test func clientConnects() throws {
    let bench = try Bench()
    let client = try Client(bench.path)
    client.write(Array("CONNECT 1024\nhello".utf8))
    #expect(client.line() == "OK 1073741824")
    let connection = try #require(try bench.connection(guest: 1024))
    bench.wait { connection.received.count >= 5 }
    #expect(connection.received == Array("hello".utf8))
    bench.guest { connection.toSend = Array("world".utf8)[...] }
    #expect(client.read(count: 5) == Array("world".utf8))
  }

  @Test func lineMayComeInPieces() throws {
    let bench = try Bench()
    let client = try Client(bench.path)
    for piece in ["CON", "NECT 10", "24", "\n"] {
      client.write(Array(piece.utf8))
      usleep(20_000)
    }
    #expect(client.line() == "OK 1073741824")
  }

  @Test(arguments: ["CONNECT 7\n", "HELLO\n", "CONNECT \n", "CONNECT 4294967296\n", "CONNECT 1 2\n", "\n"])
  func refusalIsAnEndOfFile(request: String) throws {
    let bench = try Bench()
    let client = try Client(bench.path)
    client.write(Array(request.utf8))
    #expect(client.readToEnd() == [])
  }

  @Test func endlessLineIsRefused() throws {
    let bench = try Bench()
    let client = try Client(bench.path)
    client.write([UInt8](repeating: UInt8(ascii: "C"), count: 4096))
    #expect(client.readToEnd() == [])
  }

  @Test func halvesEndApart() throws {
    let bench = try Bench()
    let client = try Client(bench.path)
    client.write(Array("CONNECT 1024\nlast words".utf8))
    _ = client.line()
    client.endOutput()
    let connection = try #require(try bench.connection(guest: 1024))
    bench.wait { connection.hostShutdown == 2 }
    #expect(connection.received == Array("last words".utf8))
    bench.guest {
      connection.toSend = Array("and mine".utf8)[...]
      connection.endsWhenSent = true
    }
    #expect(client.readToEnd() == Array("and mine".utf8))
    // Both have ended: the host says so, the guest agrees.
    bench.wait { connection.hostShutdown == 3 }
    bench.wait { bench.twin.device.streamCount == 0 }
  }

  @Test func clientThatVanishes() throws {
    let bench = try Bench()
    do {
      let client = try Client(bench.path)
      client.write(Array("CONNECT 1024\nbye".utf8))
      _ = client.line()
    }
    let connection = try #require(try bench.connection(guest: 1024))
    bench.wait { connection.hostShutdown == 3 }
    #expect(connection.received == Array("bye".utf8))
    bench.wait { bench.twin.device.streamCount == 0 }
  }

  @Test func guestConnects() throws {
    let bench = try Bench()
    let listener = try UnixSocket.listen("\(bench.path)_77")
    defer { UnixSocket.remove("\(bench.path)_77") }
    let ports = VsockGuest.Ports(host: 77, guest: 5000)
    bench.guest { try! bench.twin.connect(ports) }
    bench.wait { bench.twin.connections[ports]?.isOpen == true }
    guard let socket = try UnixSocket.accept(listener) else {
      Issue.record("nobody came")
      return
    }
    let host = Client(socket)
    bench.guest { bench.twin.connections[ports]!.toSend = Array("knock".utf8)[...] }
    #expect(host.read(count: 5) == Array("knock".utf8))
    host.write(Array("come in".utf8))
    bench.wait { bench.twin.connections[ports]!.received == Array("come in".utf8) }
  }

  @Test func guestsConnectionToNobodyIsReset() throws {
    let bench = try Bench()
    let ports = VsockGuest.Ports(host: 78, guest: 5000)
    bench.guest { try! bench.twin.connect(ports) }
    bench.wait { bench.twin.connections[ports]?.isReset == true }
    #expect(bench.onLoop { bench.twin.device.streamCount } == 0)
  }

  @Test(arguments: [1, 4]) func bulkBothWays(streams: Int) throws {
    let bench = try Bench()
    let size = 12 << 20
    var clients: [Client] = []
    for index in 0..<streams {
      let client = try Client(bench.path)
      client.write(Array("CONNECT 1024\n".utf8))
      #expect(client.line() == "OK \(1_073_741_824 + index)")
      clients.append(client)
    }
    let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
    bench.guest {
      for connection in bench.twin.connections.values {
        connection.toSend = payload[...]
        connection.endsWhenSent = true
      }
    }
    let writers = try clients.map { client in
      try Thread("writer") {
        client.write(payload)
        client.endOutput()
      }
    }
    let readings = clients.map { _ in Reading() }
    let readers = try zip(clients, readings).map { client, reading in
      try Thread("reader") { reading.bytes = client.readToEnd() }
    }
    for thread in writers + readers { thread.join() }
    for reading in readings { #expect(reading.bytes == payload) }
    bench.wait { bench.twin.connections.values.allSatisfy { $0.hostShutdown & 2 != 0 } }
    for connection in bench.twin.connections.values { #expect(connection.received == payload) }
  }

  @Test func sleepingGuestHoldsUpItsClient() throws {
    let bench = try Bench()
    let client = try Client(bench.path)
    client.write(Array("CONNECT 1024\n".utf8))
    _ = client.line()
    bench.guest { bench.twin.isAsleep = true }
    let payload = [UInt8](repeating: 3, count: 4 << 20)
    let writer = try Thread("writer") { client.write(payload) }
    usleep(100_000)
    bench.guest { bench.twin.isAsleep = false }
    writer.join()
    let connection = try #require(try bench.connection(guest: 1024))
    bench.wait { connection.received.count == payload.count }
  }

  @Test func connectionFromWithin() throws {
    let bench = try Bench()
    let answer = bench.onLoop { try! bench.backend.connect(port: 1024)!.release() }
    let client = Client(FileDescriptor(owning: answer))
    client.write(Array("power off".utf8))
    let connection = try #require(try bench.connection(guest: 1024))
    bench.wait { connection.received == Array("power off".utf8) }
    bench.guest { connection.toSend = [1, 2, 3] }
    #expect(client.read(count: 3) == [1, 2, 3])
    let refused = bench.onLoop { try! bench.backend.connect(port: 9)!.release() }
    #expect(Client(FileDescriptor(owning: refused)).readToEnd() == [])
  }

  @Test func nameIsTakenOverOnlyFromTheDead() throws {
    let bench = try Bench()
    #expect(throws: Errno(EADDRINUSE)) { _ = try UnixSocket.listen(Path(bench.path)) }
    bench.onLoop { bench.backend.close() }
    #expect(access(bench.path, F_OK) == -1)
    let dead = bench.path + ".dead"
    do { _ = try UnixSocket.listen(Path(dead)) }
    #expect(access(dead, F_OK) == 0)
    _ = try UnixSocket.listen(Path(dead))
    var status = stat()
    #expect(stat(dead, &status) == 0 && status.st_mode & 0o777 == 0o600)
    unlink(dead)
  }

  @Test func pathThatIsTooLong() {
    #expect(throws: Errno(ENAMETOOLONG)) { _ = try UnixSocket.listen("/tmp/" + String(repeating: "x", count: 103)) }
  }
}

/// A backend on a loop of its own, with a guest behind it.
private final class Bench: @unchecked Sendable {
  let directory: String
  let path: String
  let loop: EventLoop
  let twin: VsockGuest
  let backend: UnixVsockBackend
  private var thread: Thread?

  init() throws {
    var template = Array("/tmp/novm-vsock-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno.current }
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    path = directory + "/v"
    loop = try EventLoop()
    twin = try VsockGuest(loop)
    backend = try UnixVsockBackend(twin.device, path: Path(path), loop: loop)
    let (loop, twin) = (loop, twin)
    let started = try EventFD()
    loop.post { started.signal() }
    thread = try Thread("loop") { try! loop.run() }
    started.wait()
    step(loop, twin)
  }

  deinit {
    loop.stop()
    thread?.join()
    unlink(path)
    rmdir(directory)
  }

  /// The guest runs whenever the loop does.
  private func step(_ loop: EventLoop, _ twin: VsockGuest) {
    loop.post { [weak self] in
      try! twin.step()
      usleep(50)
      self?.step(loop, twin)
    }
  }

  func guest(_ body: () -> Void) { loop.perform(body) }

  func onLoop<Result>(_ body: () -> Result) -> Result {
    var result: Result?
    loop.perform { result = body() }
    return result!
  }

  /// Waits for what is to come about on the loop's thread.
  func wait(_ condition: () -> Bool, sourceLocation: SourceLocation = #_sourceLocation) {
    for _ in 0..<4000 {
      if onLoop(condition) { return }
      usleep(5000)
    }
    Issue.record("it never came about", sourceLocation: sourceLocation)
  }

  func connection(guest port: UInt32) throws -> VsockGuest.Connection? {
    onLoop { twin.connections.first { $0.key.guest == port }?.value }
  }
}

private final class Reading: @unchecked Sendable {
  var bytes: [UInt8] = []
}

/// A blocking client.
private final class Client: @unchecked Sendable {
  private let socket: FileDescriptor

  init(_ path: String) throws {
    socket = try UnixSocket.connect(Path(path))
    try socket.setNonblocking(false)
  }

  init(_ socket: consuming FileDescriptor) {
    try! socket.setNonblocking(false)
    self.socket = socket
  }

  func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty, let count = try? UnixSocket.send(socket, Array(rest.prefix(1 << 20)).span) {
      rest = rest.dropFirst(count)
    }
  }

  func endOutput() { UnixSocket.shutDown(socket, .writing) }

  func read(count: Int) -> [UInt8] {
    var result: [UInt8] = []
    while result.count < count {
      var bytes = [UInt8](repeating: 0, count: count - result.count)
      guard let length = try? socket.read(into: &bytes), length > 0 else { break }
      result += bytes[..<length]
    }
    return result
  }

  func readToEnd() -> [UInt8] {
    var result: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    while let length = try? socket.read(into: &bytes), length > 0 { result += bytes[..<length] }
    return result
  }

  func line() -> String {
    var result: [UInt8] = []
    while let byte = read(count: 1).first, byte != UInt8(ascii: "\n") { result.append(byte) }
    return String(decoding: result, as: UTF8.self)
  }
}

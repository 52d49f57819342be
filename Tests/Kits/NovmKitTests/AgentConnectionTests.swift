import AgentProtocol
import Foundation
import Host
import HostTesting
import Testing

@testable import NovmKit

/// The greeting of novmm's socket, and the guest's hello.
struct AgentConnectionTests {
  let scratch: TemporaryDirectory

  init() throws { scratch = try TemporaryDirectory() }

  /// A bridge that answers CONNECT with some bytes, some at a time, and closes if told to.
  private func connect(answer: [[UInt8]], thenClose: Bool) throws -> (frames: [Frame], request: String) {
    let path = scratch.path + "/vsock"
    let listener = try UnixSocket.listen(at: path)
    let loop = PollLoop()
    let connection = try AgentConnection(vsock: path)
    loop.add(connection)
    nonisolated(unsafe) var request: [UInt8] = []
    let number = listener.raw
    let bridge = try PosixThread("bridge") {
      var waiting = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
      poll(&waiting, 1, 60_000)
      let accepted = accept(number, nil, nil)
      var buffer = [UInt8](repeating: 0, count: 64)
      while !request.contains(0x0a) {
        let count = read(accepted, &buffer, 64)
        if count <= 0 { break }
        request += buffer[..<count]
      }
      for part in answer {
        _ = part.withUnsafeBytes { write(accepted, $0.baseAddress, $0.count) }
        usleep(20_000)
      }
      if !thenClose { usleep(200_000) }
      close(accepted)
    }
    defer { bridge.join() }
    var frames: [Frame] = []
    connection.onFrame = { frames.append($0) }
    try loop.run(until: .after(milliseconds: 60_000)) { !frames.isEmpty }
    return (frames, String(decoding: request, as: UTF8.self))
  }

  @Test func greetsInPieces() throws {
    let frame = try Frame.synced.encoded()
    let result = try connect(
      answer: [Array("O".utf8), Array("K 1073\n".utf8) + frame[..<3], Array(frame[3...])], thenClose: false)
    #expect(result.frames == [.synced])
    #expect(result.request == "CONNECT 1024\n")
  }

  @Test(arguments: [[Array("NO\n".utf8)], [], [[UInt8](repeating: 0x41, count: 100)]] as [[[UInt8]]])
  func isRefused(answer: [[UInt8]]) {
    #expect(throws: NovmError.agentRefused) { _ = try connect(answer: answer, thenClose: true) }
  }

  @Test func aPathThatIsTooLongIsNamed() {
    let path = "/tmp/" + String(repeating: "x", count: 108)
    #expect(throws: NovmError.store(.socketPathTooLong(path: path))) { _ = try UnixSocket.listen(at: path) }
  }

  private func greet(_ bytes: [UInt8]) throws -> HelloListener {
    let path = scratch.path + "/vsock"
    let loop = PollLoop()
    let listener = try HelloListener(vsock: path, loop: loop)
    loop.add(listener)
    let guest = try UnixSocket.connect(to: path + "_1024")
    try guest.writeAll(bytes)
    try loop.run(until: .after(milliseconds: 60_000)) { listener.hello != nil }
    return listener
  }

  @Test func takesAHello() throws {
    let hello = Hello(kernelRelease: Array("6.1.0".utf8))
    #expect(try greet(Frame.hello(hello).encoded()).hello == hello)
  }

  @Test func refusesAnotherVersion() throws {
    let frame = try Frame.hello(Hello(version: 99, kernelRelease: [])).encoded()
    #expect(throws: NovmError.agentVersion(99)) { _ = try greet(frame) }
  }

  @Test func refusesWhatIsNoHello() throws {
    let frame = try Frame.synced.encoded()
    #expect(throws: NovmError.protocolViolation(.malformed(.synced))) { _ = try greet(frame) }
  }
}

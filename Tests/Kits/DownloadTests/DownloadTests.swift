import Foundation
import Host
import HostTesting
import Testing

@testable import Download

/// Downloads from a server on loopback that does what servers do on bad days.
@Suite(.timeLimit(.minutes(5)))
struct DownloadTests {
  private let server: FaultyServer
  private let file: FileDescriptorBox
  private let program: String

  init() throws {
    program = try BuiltProgram.url("nofetch").path
    server = try FaultyServer()
    file = try FileDescriptorBox()
  }

  private func fetch(_ path: String, limit: UInt64 = 1 << 20, resumes: Bool = false) throws -> (
    bytes: Data, steps: [UInt64]
  ) {
    var download = try Download("http://127.0.0.1:\(server.port)/\(path)", limit: limit)
    download.resumes = resumes
    download.pause = 1
    download.silence = 1
    var steps: [UInt64] = []
    try download.fetch(to: file.raw, by: program) { count, total in if total == 300_000 { steps.append(count) } }
    return (try file.contents(), steps)
  }

  private var address: String { "http://127.0.0.1:\(server.port)" }

  @Test func wholeFiles() throws {
    let (bytes, steps) = try fetch("file")
    #expect(bytes == server.contents)
    #expect(steps.last == 300_000 && steps == steps.sorted())
    #expect(try fetch("redirect").bytes == server.contents)
    #expect(try fetch("chunked").bytes == server.contents)
  }

  @Test func cutConnections() throws {
    #expect(try fetch("cut-twice").bytes == server.contents)
    #expect(try fetch("cut-twice-more", resumes: true).bytes == server.contents)
    // The rest was asked for, and taken in one piece from a server that gives only the whole.
    #expect(server.ranges.filter { $0 == "bytes=100000-" }.count == 1)
    #expect(try fetch("cut-whole", resumes: true).bytes == server.contents)
    #expect(throws: DownloadError.cut(address: "\(address)/cut", "Transferred a partial file")) { try fetch("cut") }
  }

  @Test func silence() throws {
    #expect(throws: DownloadError.cut(address: "\(address)/silent", "Timeout was reached")) { try fetch("silent") }
  }

  @Test func answers() throws {
    #expect(throws: DownloadError.status(404, address: "\(address)/none")) { try fetch("none") }
    #expect(throws: DownloadError.status(503, address: "\(address)/busy")) { try fetch("busy") }
    #expect(server.requests("/none") == 1 && server.requests("/busy") == 4)
    #expect(try fetch("busy-twice").bytes == server.contents)
    do {
      _ = try fetch("loop")
      Issue.record("fetched")
    } catch let error as DownloadError {
      guard case .connection = error else { throw error }
    }
    do {
      _ = try fetch("to-file")
      Issue.record("fetched")
    } catch let error as DownloadError {
      guard case .connection = error else { throw error }
    }
  }

  @Test func limits() throws {
    #expect(throws: DownloadError.tooLarge(address: "\(address)/file", limit: 299_999)) {
      try fetch("file", limit: 299_999)
    }
    #expect(throws: DownloadError.tooLarge(address: "\(address)/endless", limit: 1 << 20)) { try fetch("endless") }
  }

  @Test func addresses() throws {
    for address in ["", "file:///etc/passwd", "ftp://x/y", "/etc/passwd", "httpx://y"] {
      #expect(throws: DownloadError.badAddress(address)) { try Download(address, limit: 1) }
    }
    #expect(try Download("HTTPS://x", limit: 1).isSecure)
    let nobody = try Download("http://127.0.0.1:1/x", limit: 1)
    var quick = nobody
    quick.pause = 1
    #expect(throws: DownloadError.connection(address: "http://127.0.0.1:1/x", "Couldn't connect to server")) {
      try quick.fetch(to: file.raw, by: program) { _, _ in }
    }
  }

  /// Whoever ordered it may be gone in any way: the program does not go on by itself.
  @Test func abandoned() throws {
    for path in ["silent", "busy"] {
      var download = try Download("\(address)/\(path)", limit: 1 << 20)
      download.pause = 10_000
      var ends: [Int32] = [-1, -1]
      #expect(pipe(&ends) == 0)
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      var address: [Int32] = [-1, -1]
      #expect(pipe(&address) == 0)
      for end in address { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      do { try FileDescriptor(owning: address[1]).writeAll(Array(download.address.utf8)) }
      let order = FetchOrder(download, address: address[0], file: file.raw, report: ends[1])
      let process = try Spawn.start(
        program, order.words, errors: STDERR_FILENO, inherited: [address[0], file.raw, ends[1]])
      close(address[0])
      close(ends[1])
      let begin = ContinuousClock.now
      while server.requests("/\(path)") == 0, ContinuousClock.now - begin < .seconds(20) { usleep(10_000) }
      close(ends[0])
      let left = ContinuousClock.now
      var status: Int32 = 0
      #expect(waitpid(process, &status, 0) == process)
      // The server is silent for five seconds, and the pause would be ten.
      #expect(ContinuousClock.now - left < .seconds(4))
    }
  }
}

/// A file that is gone with the test.
final class FileDescriptorBox {
  private let file: FileDescriptor

  init() throws {
    file = try FileDescriptor.open(FileManager.default.temporaryDirectory.path, OpenFlags.temporary, mode: 0o600)
  }

  var raw: Int32 { file.raw }

  /// What is in the file, which is empty afterwards.
  func contents() throws -> Data {
    var buffer = [UInt8](repeating: 0, count: 1 << 21)
    let count = try FileCalls.read(raw, at: 0, into: &buffer)
    try FileCalls.truncate(raw, to: 0)
    return Data(buffer[..<count])
  }
}

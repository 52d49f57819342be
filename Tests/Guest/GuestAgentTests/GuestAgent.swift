import AgentProtocol
import Foundation

/// The real noguest, serving commands on a Unix socket of its own, with real processes below it.
final class GuestAgent {
  private let directory: URL
  private let process = Process()

  init() throws {
    let executable = try Self.executable.get()
    directory = FileManager.default.temporaryDirectory.appending(path: "novm-agent-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    process.executableURL = executable
    process.arguments = ["agent", "--unix", path]
    try process.run()
    let deadline = ContinuousClock.now + .seconds(10)
    while (try? connect()) == nil {
      guard ContinuousClock.now < deadline else { throw TestFailure("noguest does not listen at \(path)") }
      usleep(2000)
    }
  }

  deinit {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
    try? FileManager.default.removeItem(at: directory)
  }

  var path: String { directory.appending(path: "socket").path }
  var processIdentifier: Int32 { process.processIdentifier }

  func waitForExit() -> Int32 {
    process.waitUntilExit()
    return process.terminationStatus
  }

  func connect() throws -> AgentStream { try AgentStream(path: path) }

  /// Runs a command to its end, with all of `input` as its standard input.
  func run(_ command: Command, input: [UInt8] = []) throws -> AgentStream.Result {
    let stream = try connect()
    try stream.send(.exec(command))
    return try stream.finish(input: command.options.contains(.input) ? input : nil)
  }

  func run(_ arguments: String..., user: String = "", directory: String = "") throws -> AgentStream.Result {
    try run(Command(arguments: arguments.map(\.bytes), directory: directory.bytes, user: user.bytes))
  }

  /// Built once for all tests by the script that builds it for everybody.
  private static let executable: Swift.Result<URL, TestFailure> = {
    var root = URL(filePath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    let build = Process()
    build.executableURL = root.appending(path: "scripts/build-noguest")
    do { try build.run() } catch { return .failure(TestFailure("scripts/build-noguest: \(error)")) }
    build.waitUntilExit()
    guard build.terminationStatus == 0 else { return .failure(TestFailure("scripts/build-noguest failed")) }
    return .success(root.appending(path: ".build/noguest/noguest"))
  }()
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

extension String {
  var bytes: [UInt8] { Array(utf8) }
}

extension [UInt8] {
  var text: String { String(decoding: self, as: UTF8.self) }
}

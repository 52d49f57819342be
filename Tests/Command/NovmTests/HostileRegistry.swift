import Foundation
import HostTesting

/// `Tests/Support/registry.py`, for as long as it lives.
final class HostileRegistry {
  let port: Int
  private let process = Process()
  private let directory: String

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("novm-registry-\(UUID())").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let script = URL(filePath: #filePath).appending(path: "../../../Support/registry.py").standardizedFileURL.path
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", script]
    process.currentDirectoryURL = URL(filePath: directory)
    process.standardOutput = output
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
  }

  deinit {
    // Test processes may have SIGTERM blocked, and so have what they start.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Of each request: method, path, range, authorization.
  var log: [[String]] {
    let text = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 3).map(String.init) }
  }

  func requests(_ part: String) -> Int { log.filter { $0[1].contains(part) }.count }

  func name(_ repository: String) -> String { "127.0.0.1:\(port)/\(repository):1" }
}

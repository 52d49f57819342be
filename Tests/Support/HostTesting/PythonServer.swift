import Foundation

/// A server on the loopback that prints its port first, for as long as this value lives. It runs in a directory of its own,
/// where it may keep a log.
package final class PythonServer {
  package let port: Int
  private let process = Process()
  private let directory: String

  /// - Parameter arguments: of python3.
  package init(_ arguments: [String]) throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("novm-server-\(UUID())").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
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

  /// What it has written to `log` by now: the words of each line, the last of them with all that follows.
  ///
  /// - Parameter most: how many words there are at most.
  package func log(most: Int = .max) -> [[String]] {
    let text = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map { $0.split(separator: " ", maxSplits: most - 1).map(String.init) }
  }
}

import Foundation
import HostTesting

/// The built `novm`, with a store and programs of its own.
final class NovmProgram {
  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  let directory: String
  /// Of its environment, what a test adds.
  var variables: [String: String] = [:]

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("novm-test-\(UUID())").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try write("libexec/noguest", "noguest")
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let url = URL(fileURLWithPath: "\(directory)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
    return url.path
  }

  /// Has it find the `nofetch` that was built beside it.
  func linkNofetch() throws {
    try FileManager.default.createDirectory(atPath: "\(directory)/libexec", withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      at: URL(filePath: "\(directory)/libexec/nofetch"), withDestinationURL: try BuiltProgram.url("nofetch"))
  }

  /// A program that `novm` is to run.
  @discardableResult
  func writeProgram(_ name: String, _ text: String) throws -> String {
    let path = try write(name, "")
    try MadeProgram.write(path, text)
    return path
  }

  var environment: [String: String] {
    [
      "PATH": "\(directory)/bin:/usr/bin:/bin", "NOVM_ROOT": "\(directory)/store",
      "NOVM_LIBEXEC": "\(directory)/libexec", "HOME": directory,
    ].merging(variables) { $1 }
  }

  func run(_ arguments: String...) throws -> Result { try run(arguments) }

  func run(_ arguments: [String]) throws -> Result {
    let process = Process()
    process.executableURL = try BuiltProgram.url("novm")
    process.arguments = arguments
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    // Files, not pipes: nobody has to read two at once.
    let files = ["output", "errors"].map { "\(directory)/\($0)" }
    let handles = try files.map { path in
      try Data().write(to: URL(fileURLWithPath: path))
      return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    try process.run()
    process.waitUntilExit()
    let texts = try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
    return Result(status: process.terminationStatus, output: texts[0], errors: texts[1])
  }
}

import Foundation

/// A program of the host, whose files ours must understand, or which must understand ours.
package enum Tool {
  package struct Result {
    package let status: Int32
    package let output: [UInt8]
    package var text: String { String(decoding: output, as: UTF8.self) }
  }

  package static func exists(_ name: String) -> Bool { path(name) != nil }

  /// Runs it to its end. Its errors come with its output only if asked for.
  package static func run(
    _ name: String, _ arguments: [String], input: [UInt8] = [], in directory: String = "/", withErrors: Bool = false
  ) throws -> Result {
    let process = Process()
    process.executableURL = name.contains("/") ? URL(fileURLWithPath: name) : path(name)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    // A file, not a pipe: whole kernels go in, and both ends would have to be served at once.
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("novm-input-\(UUID())")
    try Data(input).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    process.standardInput = try FileHandle(forReadingFrom: file)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = withErrors ? pipe : FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Result(status: process.terminationStatus, output: [UInt8](output))
  }

  private static func path(_ name: String) -> URL? {
    let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    return path.split(separator: ":").map { URL(fileURLWithPath: "\($0)/\(name)") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }
}

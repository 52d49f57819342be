import Foundation

/// A program of the host, whose files ours must understand, or which must understand ours.
enum Tool {
  static func exists(_ name: String) -> Bool { path(name) != nil }

  static func run(
    _ name: String, _ arguments: [String], input: [UInt8] = [], in directory: String = "/"
  ) throws -> (status: Int32, output: [UInt8]) {
    let process = Process()
    process.executableURL = path(name)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: directory)
    // A file, not a pipe: whole kernels go in, and both ends would have to be served at once.
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("novm-input-\(UUID())")
    try Data(input).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    process.standardInput = try FileHandle(forReadingFrom: file)
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, [UInt8](output))
  }

  private static func path(_ name: String) -> URL? {
    let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
    return path.split(separator: ":").map { URL(fileURLWithPath: "\($0)/\(name)") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }
}

import Foundation

/// A directory that anybody may enter, gone when the test is.
final class ScratchDirectory {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "novm-scratch-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard chmod(path, 0o755) == 0 else { throw TestFailure("chmod \(path)") }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ name: String, _ contents: String, mode: mode_t) throws {
    try contents.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    guard chmod(path + "/" + name, mode) == 0 else { throw TestFailure("chmod \(name)") }
  }
}

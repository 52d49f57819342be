import Foundation

/// Programs of this package, which the test's own build made.
package enum BuiltProgram {
  private struct NotBuilt: Error { let name: String }

  /// Beside the test bundle.
  package static func url(_ name: String) throws -> URL {
    let paths =
      CommandLine.arguments + [(try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""]
    for path in paths where path.contains(".xctest") {
      let directory = URL(fileURLWithPath: String(path[..<path.range(of: ".xctest")!.lowerBound]))
        .deletingLastPathComponent()
      let program = directory.appendingPathComponent(name)
      if FileManager.default.isExecutableFile(atPath: program.path) { return program }
    }
    throw NotBuilt(name: name)
  }
}

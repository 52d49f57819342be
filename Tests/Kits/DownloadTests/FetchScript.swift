import Foundation
import HostTesting

/// A program in the place of `nofetch`.
enum FetchScript {
  /// - Parameters:
  ///   - script: a shell's, where `$report`, `$answer` and `$file` are the descriptors that it was given.
  ///   - body: gets the program's path.
  static func with<Result>(_ script: String, _ body: (String) throws -> Result) throws -> Result {
    let program = FileManager.default.temporaryDirectory.appendingPathComponent("novm-fetch-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: program) }
    let text = """
      #!/bin/bash
      for word; do
        case $word in
          --report=fd:*) report=${word#*:} ;;
          --answer=fd:*) answer=${word#*:} ;;
          --file=fd:*) file=${word#*:} ;;
        esac
      done
      \(script)

      """
    try MadeProgram.write(program, text)
    return try body(program)
  }
}

import ArgumentParser
import Foundation
import KernelBundle
import NovmKit

/// A failure of novm's own, told in one line: exit status 125, as with Docker.
struct CommandFailure: Error {
  let message: String

  static let exitCode: Int32 = 125

  init(_ message: String) { self.message = message }

  /// The words for any error that a command may end with; nil if the argument parser has its own.
  init?(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as KernelBundleError: self.init(error.message)
    default: return nil
    }
  }

  /// Says what went wrong and ends the process: the parser's help and version with 0, all else with 125.
  static func exit<Root: ParsableCommand>(_ error: any Error, of root: Root.Type) -> Never {
    if let failure = CommandFailure(error) {
      StandardError.write("novm: \(failure.message)\n")
      Foundation.exit(exitCode)
    }
    let status = root.exitCode(for: error)
    if status == .validationFailure {
      StandardError.write(root.fullMessage(for: error) + "\n")
      Foundation.exit(exitCode)
    }
    root.exit(withError: error)
  }
}

enum StandardError {
  static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  static let isTerminal = isatty(STDERR_FILENO) == 1
}

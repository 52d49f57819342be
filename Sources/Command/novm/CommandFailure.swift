import ArgumentParser
import Download
import Glibc
import Images
import KernelBundle
import Novm
import NovmKit
import Packs
import Registry

/// A failure of novm's own, told in one line, and what there is to read besides.
struct CommandFailure: Error {
  let message: String
  var details: [String] = []
  let exitStatus: Int32
  /// What it comes of, as a program that uses the library is told.
  var cause: Failure?

  /// As Docker has it: the tool failed, not the command.
  static let toolFailed: Int32 = 125

  init(_ message: String, exitStatus: Int32 = toolFailed) {
    self.message = message
    self.exitStatus = exitStatus
  }

  /// The words for any error that a command may end with; nil if the argument parser has its own.
  init?(_ error: any Error) {
    switch error {
    case let failure as CommandFailure: self = failure
    case let error as NovmError:
      self.init(error.message, exitStatus: error.exitStatus)
      details = error.details
    case let error as KernelBundleError: self.init(error.message)
    case let error as PackError: self.init(error.message)
    case let error as ImageError: self.init(error.message)
    case let error as RegistryError: self.init(error.message)
    case let error as DownloadError: self.init(error.message)
    default: return nil
    }
  }

  /// Says what went wrong: on one line, with the details indented below it.
  func tell() {
    StandardError.write("novm: \(ByteString.printable(message))\n")
    for line in details { StandardError.write("  \(ByteString.printable(line))\n") }
  }

  /// Does the same to each of several, whatever becomes of the others.
  ///
  /// - Throws: an exit status, that of the first that failed; each was told.
  static func tellEach(_ names: [String], _ body: (String) throws -> Void) throws {
    var status: Int32?
    for name in names {
      do {
        try body(name)
      } catch NovmError.interrupted(let signal) {
        throw NovmError.interrupted(signal)
      } catch {
        guard let failure = CommandFailure(error) else { throw error }
        failure.tell()
        status = status ?? failure.exitStatus
      }
    }
    if let status { throw ExitCode(status) }
  }

  /// Says what went wrong and ends the process: the parser's help and version with 0, all else with 125.
  static func exit<Root: ParsableCommand>(_ error: any Error, of root: Root.Type) -> Never {
    if case NovmError.interrupted(let signal) = error { Glibc.exit(128 + signal) }
    if let failure = CommandFailure(error) {
      failure.tell()
      Glibc.exit(failure.exitStatus)
    }
    if root.exitCode(for: error) == .validationFailure {
      let line = unknownOption(oneLine(root.message(for: error)), in: root.fullMessage(for: error))
      StandardError.write("novm: \(ByteString.printable(line))\n")
      Glibc.exit(toolFailed)
    }
    root.exit(withError: error)
  }

  /// The parser's words in the form of ours.
  private static func oneLine(_ message: String) -> String {
    let line = message.split(separator: "\n").joined(separator: " ").replacing("Error: ", with: "")
    return line.prefix(1).lowercased() + line.dropFirst()
  }

  /// The parser offers the nearest option however far it is; our line says where to look instead.
  ///
  /// - Parameter message: ends with `See 'novm COMMAND --help' for more information.`
  private static func unknownOption(_ line: String, in message: String) -> String {
    let quoted = line.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
    guard quoted.count >= 3, quoted[0] == "unknown option ", ["", ". Did you mean "].contains(quoted[2]) else {
      return line
    }
    if quoted.count == 5, Suggestion.nearest(to: quoted[1], in: [quoted[3]]) != nil {
      return "unknown option '\(quoted[1])'; did you mean \(quoted[3])?"
    }
    let help = message.split(separator: "'").first { $0.hasPrefix("novm") && $0.hasSuffix(" --help") } ?? "novm --help"
    return "unknown option '\(quoted[1])'; see: \(help)"
  }
}

enum StandardError {
  /// Writes it all, unless nobody can be told.
  static func write(_ text: String) {
    var rest = text.utf8[...]
    while !rest.isEmpty {
      let count = Array(rest).withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR { return }
      rest = rest.dropFirst(max(0, count))
    }
  }

  static let isTerminal = isatty(STDERR_FILENO) == 1
}

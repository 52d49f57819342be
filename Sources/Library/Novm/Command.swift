import AgentProtocol
import NovmKit

/// A command for a machine, and where its input comes from and its output goes.
public struct Command: Sendable {
  public enum Input: Sendable {
    /// The command reads the end of file at once.
    case nothing
    case bytes([UInt8])
    /// A descriptor, of which the library keeps a copy until the command has ended.
    case descriptor(Int32)
  }

  public enum Output: Sendable {
    case nothing
    /// Kept in memory, up to so many bytes; all that comes after them is dropped (``RunningCommand/isTruncated``).
    case collected(limit: Int)
    /// A descriptor, of which the library keeps a copy until the command has ended.
    case descriptor(Int32)
  }

  public struct Terminal: Equatable, Sendable {
    public var rows: UInt16
    public var columns: UInt16

    public init(rows: UInt16 = 24, columns: UInt16 = 80) {
      self.rows = rows
      self.columns = columns
    }
  }

  /// The command and its arguments, as bytes. The first is looked for in the guest's `PATH` unless it has a slash.
  public var arguments: [[UInt8]]
  /// `NAME=VALUE`, as bytes; `PATH` and `HOME` the guest supplies where they are missing.
  public var environment: [[UInt8]] = []
  /// The working directory in the guest.
  public var directory: [UInt8] = []
  /// `NAME`, `UID`, `NAME:GROUP` or `UID:GID` of the guest's; root if empty.
  public var user: [UInt8] = []
  public var input = Input.nothing
  public var output = Output.collected(limit: 64 << 20)
  public var error = Output.collected(limit: 64 << 20)
  /// The command's terminal; all that it writes is then `output`.
  public var terminal: Terminal?
  /// After so long it is ended, by SIGTERM and ten seconds later by SIGKILL, with status 124; zero is never.
  public var limit: Duration?

  public init(_ arguments: [[UInt8]]) { self.arguments = arguments }

  public init(_ words: String...) { arguments = words.map { Array($0.utf8) } }

  var forAgent: AgentProtocol.Command {
    get throws(Failure) {
      guard let first = arguments.first, !first.isEmpty else {
        throw Failure(.argument, "no command to run; such as: /bin/ls", about: "arguments")
      }
      for word in arguments + environment + [directory, user] where word.contains(0) {
        throw Failure(.argument, "a word of the command has a NUL in it", about: "arguments")
      }
      for variable in environment where !variable.contains(UInt8(ascii: "=")) {
        throw Failure(.argument, "'\(NovmError.text(variable))' is not NAME=VALUE", about: "environment")
      }
      var command = AgentProtocol.Command(
        arguments: arguments, environment: environment, directory: directory, user: user)
      if case .nothing = input {} else { command.options.insert(.input) }
      if let terminal {
        command.options.insert(.terminal)
        command.window = WindowSize(rows: terminal.rows, columns: terminal.columns)
      }
      return command
    }
  }
}

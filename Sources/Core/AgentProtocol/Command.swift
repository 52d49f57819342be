/// What to run, and how.
///
///     u16 options, u16 rows, u16 columns, u16 reserved
///     string user, string directory
///     u32 count and that many strings of arguments, u32 count and that many strings of environment
///     with the option `limited` u32 count and that many limits
package struct Command: Equatable, Sendable {
  package struct Options: OptionSet, Equatable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Run on a new terminal of ``Command/window`` instead of on pipes; all output then arrives as `stdout`.
    package static let terminal = Options(rawValue: 1 << 0)
    /// The host will send standard input; without it the command reads the end of file at once.
    package static let input = Options(rawValue: 1 << 1)

    /// Run what the agent has built in, instead of a program of the tree's: the first argument is its name, and there is no
    /// environment, directory or user (docs/agent-protocol.md, "Built in").
    package static let builtIn = Options(rawValue: 1 << 2)
    /// Let the command be once it has started: the stream ends with `started`, and output goes nowhere.
    package static let detached = Options(rawValue: 1 << 3)

    /// Where the guest has no such directory, or the user may not enter it, start in `/`.
    package static let directoryMayMiss = Options(rawValue: 1 << 4)

    /// Limits follow: said by there being some.
    static let limited = Options(rawValue: 1 << 5)

    static let defined: Options = [.terminal, .input, .builtIn, .detached, .directoryMayMiss]
  }

  package var options: Options
  /// The terminal's first size.
  package var window: WindowSize
  /// `NAME`, `UID`, `NAME:GROUP` or `UID:GID`, names being those of the guest's tree; empty for root.
  package var user: [UInt8]
  /// The working directory; empty for `/`.
  package var directory: [UInt8]
  /// The command and its arguments; at least one. The first is looked for in `PATH` unless it has a slash.
  package var arguments: [[UInt8]]
  /// `NAME=VALUE`; `PATH`, `HOME` and, on a terminal, `TERM` are supplied where they are missing.
  package var environment: [[UInt8]]
  /// ``limits`` as they are sent, ``ResourceLimit/size`` bytes each: the guest has no use for an array of them, which would take
  /// more of it than all else about them.
  package var limitRecords: [UInt8] = []

  package init(
    arguments: [[UInt8]], environment: [[UInt8]] = [], directory: [UInt8] = [], user: [UInt8] = [],
    options: Options = [], window: WindowSize = WindowSize(rows: 0, columns: 0), limits: [ResourceLimit] = []
  ) {
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    self.user = user
    self.options = options
    self.window = window
    for limit in limits { limit.encode(into: &limitRecords) }
  }
}

/// Why something could not be done.
public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
  /// What a program may want to tell apart. The numbers are those of `novm_status` in novm.h, and stay.
  public enum Code: Int32, Sendable, CaseIterable {
    /// An argument that cannot be.
    case argument = 1
    /// No handle, one that was closed, or one of something else. Of C and the languages above it.
    case handle = 2
    /// A description, or a setting of one, that cannot be.
    case description = 3
    /// No machine, kernel, pack or file of this name.
    case missing = 4
    /// The name is taken.
    case taken = 5
    /// It needs a machine that does not run.
    case running = 6
    /// It needs a machine that runs.
    case notRunning = 7
    /// Not within the time that was given for it.
    case timedOut = 8
    /// The command could not be run in the machine: ``Failure/exitStatus`` is 125, 126 or 127.
    case command = 9
    /// The machine did not come up, or ended.
    case machine = 10
    /// A system call of the host failed: ``Failure/number``.
    case system = 11
    /// Changes that would overwrite what others changed since, or that have no place on the host.
    case conflict = 12
    /// A pack, volume or port is in use.
    case inUse = 13
    /// Something of the store is damaged.
    case damaged = 14
    /// Parts of novm, or programs that it needs, are not installed.
    case installation = 15
    /// It was given up by who asked for it.
    case canceled = 16
    /// A server, or the network on the way to it, gives it not: not there, not to this user, or not now.
    case refused = 17
  }

  public var code: Code
  /// One line for a person, with the mend where there is one: what the command `novm` says.
  public var message: String
  /// The machine, file, setting or other thing that it is about; empty if there is none.
  public var subject: String
  /// The host's error number (errno(3)), or 0.
  public var number: Int32
  /// The line of a description's text, from 1 on, or 0.
  public var line: Int
  /// What `novm` would end with: 125, or 126 and 127 for a command that could not be run.
  public var exitStatus: Int32

  public init(
    _ code: Code, _ message: String, about subject: String = "", number: Int32 = 0, line: Int = 0,
    exitStatus: Int32 = 125
  ) {
    self.code = code
    self.message = message
    self.subject = subject
    self.number = number
    self.line = line
    self.exitStatus = exitStatus
  }

  public var description: String { message }
}

/// Why a command did not run.
///
///     u8 kind, u8 and u16 reserved, u32 errno, string message
package struct Failure: Error, Equatable, Sendable {
  package enum Kind: UInt8, CaseIterable, Sendable {
    /// There is no such command.
    case notFound = 1
    /// There is one, but it cannot be executed.
    case notExecutable = 2
    /// The request cannot be met: no such user, no such working directory.
    case rejected = 3
    /// The guest is out of something.
    case system = 4
    /// The host broke the rules of the stream.
    case protocolViolation = 5
  }

  package var kind: Kind
  /// Linux's error number, or zero.
  package var errno: UInt32
  /// One line for a person, without a newline.
  package var message: [UInt8]

  package init(kind: Kind, errno: UInt32 = 0, message: [UInt8]) {
    self.kind = kind
    self.errno = errno
    self.message = message
  }

  /// The exit status that stands for this failure, as `docker run` and env(1) have it.
  package var exitStatus: UInt8 {
    switch kind {
    case .notFound: 127
    case .notExecutable: 126
    case .rejected, .system, .protocolViolation: 125
    }
  }
}

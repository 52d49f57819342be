/// The first byte of a frame.
package enum FrameType: UInt8, CaseIterable, Sendable {
  /// Guest to host, once, on the connection that the guest makes.
  case hello = 1
  /// Host to guest, first: run a command.
  case exec = 2
  /// Guest to host: the command runs.
  case started = 3
  /// Host to guest: bytes of standard input, within the window.
  case stdin = 4
  /// Host to guest: no more standard input follows.
  case endOfInput = 5
  /// Guest to host: bytes of standard output, or of the terminal.
  case stdout = 6
  /// Guest to host: bytes of standard error.
  case stderr = 7
  /// Guest to host: so many more bytes of standard input may follow.
  case credit = 8
  /// Host to guest: a signal for the command's process group.
  case signal = 9
  /// Host to guest: the terminal's new size.
  case resize = 10
  /// Guest to host, last: the command called exit.
  case exited = 11
  /// Guest to host, last: a signal ended the command.
  case signaled = 12
  /// Guest to host, last: the command did not run, or the stream broke the rules.
  case failed = 13
  /// Host to guest, first: end the machine.
  case shutdown = 14
  /// Guest to host, last: file systems are written back, the machine ends now.
  case synced = 15
  /// Host to guest, on the connection that the guest makes: what time it is.
  case clock = 16

  /// Whether the payload is bytes of a command's standard streams, with no shape of their own.
  package var carriesData: Bool { self == .stdin || self == .stdout || self == .stderr }

  /// The largest payload that a frame of this type may announce.
  package var payloadLimit: Int { self == .exec ? Agent.execPayloadLimit : Agent.payloadLimit }
}

/// One frame; see ``FrameType`` for what each means and who sends it.
package enum Frame: Equatable, Sendable {
  case hello(Hello)
  case exec(Command)
  case started(pid: UInt32)
  case stdin([UInt8])
  case endOfInput
  case stdout([UInt8])
  case stderr([UInt8])
  case credit(UInt32)
  /// A signal number, 1 to 64.
  case signal(UInt8)
  case resize(WindowSize)
  case exited(code: UInt8)
  /// A signal number, 1 to 127.
  case signaled(UInt8)
  case failed(Failure)
  case shutdown(ShutdownMode)
  case synced
  case clock(WallTime)

  package var type: FrameType {
    switch self {
    case .hello: .hello
    case .exec: .exec
    case .started: .started
    case .stdin: .stdin
    case .endOfInput: .endOfInput
    case .stdout: .stdout
    case .stderr: .stderr
    case .credit: .credit
    case .signal: .signal
    case .resize: .resize
    case .exited: .exited
    case .signaled: .signaled
    case .failed: .failed
    case .shutdown: .shutdown
    case .synced: .synced
    case .clock: .clock
    }
  }
}

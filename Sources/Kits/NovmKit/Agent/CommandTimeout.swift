import Glibc
import Host

/// Ends a command that takes too long, as timeout(1) does: by SIGTERM, and if it stays by SIGKILL.
package final class CommandTimeout: PollSource {
  /// timeout(1)'s own.
  static let exitStatus: Int32 = 124
  /// How long a command may take to end, in milliseconds.
  private static let grace: UInt64 = 10_000

  private let session: Session
  package private(set) var deadline: MonotonicTime?
  private(set) var hasPassed = false

  /// - Parameter seconds: 0 for as long as it takes, as for timeout(1).
  package init(_ session: Session, seconds: Double) {
    self.session = session
    deadline = seconds == 0 ? nil : MonotonicTime.now.advanced(milliseconds: UInt64(min(max(seconds, 0), 1e9) * 1000))
  }

  package var interest: PollInterest? { nil }
  package func ready(_ events: Int32) {}

  package func expired() throws(NovmError) {
    deadline = hasPassed ? nil : MonotonicTime.now.advanced(milliseconds: Self.grace)
    try session.signal(hasPassed ? SIGKILL : SIGTERM)
    hasPassed = true
  }

  /// The command's status, unless it was ended.
  package func status(_ status: Int32?) -> Int32? { hasPassed && status != nil ? Self.exitStatus : status }
}

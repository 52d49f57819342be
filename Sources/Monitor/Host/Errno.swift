import CLinux
import Glibc

/// An error number of the host's kernel (errno(3)).
public struct Errno: Error, Equatable, Hashable, Sendable {
  public let code: Int32

  public init(_ code: Int32) { self.code = code }

  /// The calling thread's `errno`.
  public static var current: Errno { Errno(clinux_errno()) }

  /// What strerror(3) says, for example `Permission denied`.
  public var description: String {
    unsafe String(cString: strerror(code))
  }
}

/// The one gate from a system call's return value to an error: -1 becomes the `errno` it left.
///
/// Nothing is retried here: where EINTR must be retried, the caller says so with `retryingInterrupts`.
@inlinable @discardableResult
package func checked<Result: SignedInteger>(_ result: Result) throws(Errno) -> Result {
  if result == -1 { throw .current }
  return result
}

/// Repeats a call for as long as a signal handler cuts it short.
@inlinable @discardableResult
package func retryingInterrupts<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
  while true {
    let result = call()
    if result != -1 { return result }
    let error = Errno.current
    if error != Errno(EINTR) { throw error }
  }
}

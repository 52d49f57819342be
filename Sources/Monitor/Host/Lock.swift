import CLinux
import Glibc

/// A pthread mutex with a stable address.
@safe
public final class Lock: @unchecked Sendable {
  @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>

  public init() {
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// Runs `body` with the lock held.
  @inlinable @inline(__always) @discardableResult
  public func withLock<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Waits until nobody holds the lock, for so long at most.
  ///
  /// - Returns: whether that came about.
  package func isFree(within milliseconds: UInt64) -> Bool {
    var end = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &end)
    let nanoseconds = UInt64(end.tv_nsec) + milliseconds * 1_000_000
    end.tv_sec += Int(nanoseconds / 1_000_000_000)
    end.tv_nsec = Int(nanoseconds % 1_000_000_000)
    guard unsafe clinux_mutex_clocklock(mutex, CLOCK_MONOTONIC, &end) == 0 else { return false }
    unsafe pthread_mutex_unlock(mutex)
    return true
  }
}

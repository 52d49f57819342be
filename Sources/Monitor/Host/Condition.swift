import Glibc

/// A pthread condition, waited for with a `Lock` held.
@safe
package final class Condition: @unchecked Sendable {
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init() {
    unsafe condition = .allocate(capacity: 1)
    unsafe condition.initialize(to: pthread_cond_t())
    var attributes = pthread_condattr_t()
    unsafe pthread_condattr_init(&attributes)
    unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    unsafe pthread_cond_init(condition, &attributes)
    unsafe pthread_condattr_destroy(&attributes)
  }

  deinit {
    unsafe pthread_cond_destroy(condition)
    unsafe condition.deallocate()
  }

  /// Lets go of `lock`, which the caller holds, and has it again when it returns; perhaps for no reason.
  package func wait(_ lock: Lock) {
    unsafe pthread_cond_wait(condition, lock.mutex)
  }

  /// The same, for so many seconds at most; false when they are over.
  package func wait(_ lock: Lock, seconds: Int) -> Bool {
    var end = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &end)
    end.tv_sec += seconds
    return unsafe pthread_cond_timedwait(condition, lock.mutex, &end) == 0
  }

  package func signal() { unsafe pthread_cond_signal(condition) }

  package func broadcast() { unsafe pthread_cond_broadcast(condition) }
}

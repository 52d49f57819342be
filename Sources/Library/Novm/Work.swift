import Glibc
import Host

/// Work on threads of the library's own, which take no signals: those are for the program's threads.
enum Work {
  static func thread(_ name: String, _ body: @escaping @Sendable () -> Void) throws(Failure) {
    var all = sigset_t()
    var previous = sigset_t()
    unsafe sigfillset(&all)
    // A thread begins with its maker's mask. SIGPIPE is blocked with the rest: a pipe without a reader is an error.
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    do { _ = try Thread(name, body) } catch {
      throw Failure(.system, "no thread: \(error.description)", about: "pthread_create", number: error.code)
    }
  }

  /// Does something that blocks, away from the threads of Swift's concurrency.
  static func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
  ) async throws(Failure) -> Value {
    let result: Result<Value, Failure> = await withCheckedContinuation { continuation in
      do throws(Failure) {
        try thread("novm-work") {
          do throws(Failure) { continuation.resume(returning: .success(try body())) } catch {
            continuation.resume(returning: .failure(error))
          }
        }
      } catch {
        continuation.resume(returning: .failure(error))
      }
    }
    return try result.get()
  }
}

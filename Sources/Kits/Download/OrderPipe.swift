import Glibc
import Host

/// The pipe by which `nofetch` is told what it is to fetch.
enum OrderPipe {
  /// Writes all, and closes it. A reader that is gone says itself why.
  static func write(_ bytes: [UInt8], _ pipe: consuming Pipe) throws(Errno) {
    // The writer alone: who reads is the other process, so that its end is noticed.
    let writer = pipe.takeWriter()
    var (blocked, before) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&blocked)
    unsafe sigaddset(&blocked, SIGPIPE)
    unsafe pthread_sigmask(SIG_BLOCK, &blocked, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    do throws(Errno) {
      try writer.writeAll(bytes)
    } catch {
      guard error == Errno(EPIPE) else { throw error }
      // The signal that came with it.
      var none = timespec()
      _ = unsafe sigtimedwait(&blocked, nil, &none)
    }
  }
}

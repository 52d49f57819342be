import CLinux
import Glibc
import Host

/// Signals as a source: blocked while it lives, read from a signalfd(2).
package final class SignalInbox: PollSource {
  private let descriptor: FileDescriptor
  private var previous = sigset_t()
  private let handler: (Int32) throws(NovmError) -> Void

  /// - Parameter handler: called for each signal that arrived, in the loop.
  package init(_ signals: [Int32], _ handler: @escaping (Int32) throws(NovmError) -> Void) throws(NovmError) {
    self.handler = handler
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for signal in signals { unsafe sigaddset(&set, signal) }
    let status = unsafe pthread_sigmask(SIG_BLOCK, &set, &previous)
    guard status == 0 else { throw .call("sigprocmask", Errno(status)) }
    let number = unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
    guard number >= 0 else { throw .call("signalfd", .current) }
    descriptor = FileDescriptor(owning: number)
  }

  deinit { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }

  package var interest: PollInterest? { PollInterest(descriptor.raw, POLLIN) }

  package func ready(_ events: Int32) throws(NovmError) {
    while let signal = Signals.next(descriptor) { try handler(signal) }
  }
}

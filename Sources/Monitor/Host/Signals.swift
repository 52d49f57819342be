import CLinux
import Glibc

/// Signals as events: blocked everywhere, read from a descriptor.
public enum Signals {
  /// The signal that takes a thread out of a blocking system call; it does nothing else.
  public static let kick: Int32 = SIGUSR1

  /// Ignores SIGPIPE and SIGXFSZ, so that writes fail instead (EPIPE, EFBIG), makes `kick` harmless and blocks `signals` in the calling thread and all that it starts.
  ///
  /// - Returns: a signalfd(2) that reads as `struct signalfd_siginfo`.
  public static func capture(_ signals: [Int32]) throws(Errno) -> FileDescriptor {
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    try checked(unsafe sigaction(kick, &action, nil))
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in signals { unsafe sigaddset(&set, number) }
    try checked(unsafe sigprocmask(SIG_BLOCK, &set, nil))
    return FileDescriptor(
      owning: try checked(unsafe signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))))
  }

  /// The next captured signal's number, or nil.
  public static func next(_ descriptor: borrowing FileDescriptor) -> Int32? {
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    guard unsafe Glibc.read(descriptor.raw, &info, size) == size else { return nil }
    return Int32(info.ssi_signo)
  }
}

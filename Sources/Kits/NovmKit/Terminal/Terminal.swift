import AgentProtocol
import CLinux
import Glibc
import Host

/// The caller's terminal, in raw mode for as long as a command of the guest has it.
///
/// The mode is put back by ``restore()``, when this value goes away, at exit(3), and when a fault ends the process. Only
/// SIGKILL leaves no chance.
package final class Terminal {
  private let descriptor: Int32
  private var original = termios()

  /// nil if the descriptor is no terminal.
  package init?(_ descriptor: Int32) {
    self.descriptor = descriptor
    guard unsafe tcgetattr(descriptor, &original) == 0 else { return nil }
  }

  deinit { restore() }

  /// All keys go to the guest, as cfmakeraw(3) has it. From the background this stops the process, as it should; SIGTERM,
  /// which is otherwise taken later, ends it there.
  package func enterRawMode() {
    var raw = original
    unsafe cfmakeraw(&raw)
    EmergencyRestore.arm(descriptor, original)
    var (ending, before) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&ending)
    // Below zero where it is not the terminal that controls this process, which then is not stopped.
    let foreground = tcgetpgrp(descriptor)
    if foreground >= 0, foreground != getpgrp() { unsafe sigaddset(&ending, SIGTERM) }
    unsafe pthread_sigmask(SIG_UNBLOCK, &ending, &before)
    _ = unsafe tcsetattr(descriptor, TCSADRAIN, &raw)
    unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
  }

  package func restore() { EmergencyRestore.restore() }

  /// The size of the first terminal among the descriptors.
  package static func windowSize(of descriptors: [Int32] = [0, 1, 2]) -> WindowSize? {
    for descriptor in descriptors {
      var size = winsize()
      let result = unsafe withUnsafeMutablePointer(to: &size) {
        unsafe clinux_ioctl_pointer(descriptor, UInt(TIOCGWINSZ), $0)
      }
      if result == 0 { return WindowSize(rows: size.ws_row, columns: size.ws_col) }
    }
    return nil
  }
}

/// What puts a terminal back, callable from a signal handler: tcsetattr(3) is safe there (signal-safety(7)).
private enum EmergencyRestore {
  nonisolated(unsafe) private static var descriptor: Int32 = -1
  /// Allocated once, so that a handler never sees it half-way.
  nonisolated(unsafe) private static let saved = UnsafeMutablePointer<termios>.allocate(capacity: 1)
  nonisolated(unsafe) private static var isInstalled = false

  static func arm(_ descriptor: Int32, _ attributes: termios) {
    unsafe saved.initialize(to: attributes)
    unsafe self.descriptor = descriptor
    guard unsafe !isInstalled else { return }
    unsafe isInstalled = true
    atexit { EmergencyRestore.restore() }
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { signal in
      EmergencyRestore.restore()
      raise(signal)
    }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_NODEFER
    for signal in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT] { unsafe sigaction(signal, &action, nil) }
  }

  static func restore() {
    guard unsafe descriptor >= 0 else { return }
    let terminal = unsafe descriptor
    unsafe descriptor = -1
    _ = unsafe tcsetattr(terminal, TCSADRAIN, saved)
  }
}

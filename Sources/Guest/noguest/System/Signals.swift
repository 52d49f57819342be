import CGuest

enum Signals {
  /// A descriptor that becomes readable when one of the signals arrives (signalfd(2)); they do nothing else from then on.
  static func descriptor(for numbers: [Int32]) throws(SystemError) -> Descriptor {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in numbers { unsafe sigaddset(&set, number) }
    try check(unsafe sigprocmask(SIG_BLOCK, &set, nil))
    return Descriptor(owning: try check(unsafe signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)))
  }

  /// The signals that have arrived.
  static func take(from descriptor: borrowing Descriptor) -> [Int32] {
    var numbers: [Int32] = []
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while unsafe CGuest.read(descriptor.number, &information, size) == size {
      numbers.append(Int32(bitPattern: information.ssi_signo))
    }
    return numbers
  }

  /// A write to a closed pipe is an error to the writer, not the end of the process.
  static func ignoreBrokenPipes() { cguest_ignore_signal(SIGPIPE) }

  /// What a new program expects to find.
  static func restoreDefaults() {
    cguest_default_signal(SIGPIPE)
    var set = sigset_t()
    unsafe sigemptyset(&set)
    _ = unsafe sigprocmask(SIG_SETMASK, &set, nil)
  }
}

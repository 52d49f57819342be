import CGuest

/// What belongs to the machine as a whole.
enum Machine {
  /// uname(2), the kernel's release.
  static var kernelRelease: Bytes {
    var names = utsname()
    guard unsafe uname(&names) == 0 else { return [] }
    // The kernel ends the field with a NUL within its size.
    return unsafe withUnsafeBytes(of: &names.release) { unsafe Bytes($0.prefix { $0 != 0 }) }
  }

  /// sethostname(2)
  static func setHostName(_ name: Bytes) throws(SystemError) {
    try check(unsafe name.withCString { unsafe sethostname($0, name.count) })
  }

  /// Brings the loopback interface up, which gives it its address too (netdevice(7)).
  static func raiseLoopback() throws(SystemError) {
    let socket = Descriptor(owning: try check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)))
    var request = unsafe ifreq()
    unsafe withUnsafeMutableBytes(of: &request) { unsafe $0.copyBytes(from: "lo" as Bytes) }
    try check(unsafe cguest_ioctl(socket.number, UInt(SIOCGIFFLAGS), &request))
    unsafe request.ifr_ifru.ifru_flags |= Int16(IFF_UP)
    try check(unsafe cguest_ioctl(socket.number, UInt(SIOCSIFFLAGS), &request))
  }

  /// setrlimit(2), `RLIMIT_NOFILE`: the kernel's 4096 are too few for databases and build tools. The soft limit stays where
  /// select(2) needs it.
  static func raiseFileLimit() throws(SystemError) {
    var limit = rlimit(rlim_cur: 1024, rlim_max: 512 << 10)
    try check(unsafe setrlimit(RLIMIT_NOFILE, &limit))
  }

  /// Turns Ctrl-Alt-Del into a signal to PID 1 instead of a reset with nothing written back (reboot(2)).
  static func catchControlAltDelete() {
    _ = reboot(RB_DISABLE_CAD)
  }

  /// Makes orphans of this process's descendants its children, as PID 1's are (prctl(2), `PR_SET_CHILD_SUBREAPER`).
  static func adoptOrphans() throws(SystemError) {
    try check(cguest_prctl(PR_SET_CHILD_SUBREAPER, 1))
  }

  /// Opens the console, or what there is, for each standard stream that the kernel could not, so that no other
  /// descriptor ever gets those numbers.
  static func openStandardStreams() {
    for path in ["/dev/console", "/dev/null", "/"] as [Bytes] {
      while true {
        let number = unsafe path.withCString { unsafe cguest_open($0, path == "/" ? O_RDONLY : O_RDWR, 0) }
        if number > 2 {
          close(number)
          return
        }
        if number < 0 { break }
      }
    }
  }
}

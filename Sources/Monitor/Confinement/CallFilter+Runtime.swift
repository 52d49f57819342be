import Glibc

extension CallFilter {
  /// What a program of Swift and the C library does whatever it is for: with memory that is no code, time, what it is told of
  /// itself, signals of its own, its end.
  package mutating func allowRuntime() {
    allow("futex", "munmap", "mremap", "brk", "madvise", "getrandom", "sched_yield", "sched_getaffinity", "membarrier")
    allow("clock_gettime", "clock_getres", "gettimeofday", "time", "clock_nanosleep", "nanosleep", "sysinfo", "uname")
    allow("getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid")
    // Limits of its own, to be read.
    allow("prlimit64", where: .word(0, [0]), .exactly(2, [0]))
    allow("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall", "exit", "exit_group")
    allow("tgkill", where: .word(0, [UInt32(bitPattern: getpid())]))
    allow("set_robust_list", "rseq", "set_tid_address")
  }

  /// Descriptors' copies and flags: no locks, no owners that signals go to (O_ASYNC), no sizes of pipes.
  package mutating func allowDescriptorFlags() {
    allow(
      "fcntl",
      where: .word(1, [F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC].map { UInt32($0) }))
    allow("fcntl", where: .word(1, [UInt32(F_SETFL)]), .without(2, UInt64(O_ASYNC)))
  }

  /// Pairs of Unix sockets for streams: an end of a pair for datagrams may send to any other's path.
  package mutating func allowStreamPairs() {
    let stream = UInt32(SOCK_STREAM.rawValue)
    let (closing, nonblocking) = (UInt32(SOCK_CLOEXEC.rawValue), UInt32(SOCK_NONBLOCK.rawValue))
    allow(
      "socketpair", where: .word(0, [UInt32(AF_UNIX)]),
      .word(1, [stream, stream | closing, stream | nonblocking, stream | closing | nonblocking]))
  }
}

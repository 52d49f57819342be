import CLinux
import Confinement
import Glibc
import Host

/// What is left to this program once it begins to read what a server says: the network, files that are open, and reading what
/// libcurl and the C library look up. A host that has no Landlock or no filters does without.
enum FetchConfinement {
  static func apply() throws(Errno) {
    try ProcessPrivileges.renounce()
    try ProcessPrivileges.hideMemory()
    if Landlock.version >= Landlock.leastVersion {
      let landlock = try Landlock(forbidsNetwork: false)
      for directory in directories {
        guard let opened = try? FileDescriptor.open(Path(directory), OpenFlags.directoryPath) else { continue }
        try landlock.allow(.reading, beneath: opened.raw)
      }
      // Those may be links to anywhere.
      for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"] {
        guard let opened = try? FileDescriptor.open(Path(file), OpenFlags.path) else { continue }
        try? landlock.allow(.readFile, beneath: opened.raw)
      }
      try landlock.apply()
    }
    if CallFilter.isAvailable { try filter.apply() }
  }

  /// Name servers, certificates, configurations of TLS, modules of the C library's, and what there are of processors.
  private static let directories = [
    "/etc", "/usr", "/lib", "/lib64", "/run", "/var/run", "/proc/self", "/sys/devices/system/cpu",
    "/var/lib/ca-certificates",
    "/nix/store",
  ]

  /// Another distribution's libcurl may call something else; that fails, and libraries know what to do then.
  private static var filter: CallFilter {
    var filter = CallFilter(otherwise: Errno(EPERM))
    filter.allow("read", "readv", "pread64", "write", "writev")
    filter.allow("pwrite64", "lseek", "ftruncate", "close", "fcntl", "dup")
    filter.allow("stat", "lstat", "fstat", "newfstatat", "statx")
    filter.allow("access", "faccessat", "faccessat2", "fstatfs", "statfs")
    filter.allow("readlink", "readlinkat", "getdents64", "getcwd")
    filter.allow("openat", where: .without(2, UInt64(O_ACCMODE | O_CREAT)))
    filter.allow("open", where: .without(1, UInt64(O_ACCMODE | O_CREAT)))
    filter.allow("poll", "ppoll", "select", "pselect6")
    filter.allow("epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2")
    filter.allow("pipe2", "socketpair", "connect", "bind", "shutdown", "getsockname", "getpeername", "getsockopt")
    filter.allow("setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg")
    filter.allow(
      "socket",
      where: .word(0, [UInt32(AF_UNIX), UInt32(AF_INET), UInt32(AF_INET6), UInt32(AF_NETLINK)]))
    // FIONREAD, FIONBIO.
    filter.allow("ioctl", where: .word(1, [0x541b, 0x5421]))
    filter.allow("futex", "munmap", "mremap", "brk")
    filter.allow("madvise", "getrandom", "sched_yield", "sched_getaffinity", "membarrier")
    // Modules of the C library's are code, which nothing else becomes.
    for call in ["mmap", "mprotect"] as [SystemCall] {
      filter.allow(call, where: .without(2, UInt64(PROT_EXEC)))
      filter.allow(call, where: .without(2, UInt64(PROT_WRITE)))
    }
    filter.allow("clock_gettime", "clock_getres", "gettimeofday", "time")
    filter.allow("clock_nanosleep", "nanosleep", "sysinfo", "uname")
    filter.allow("getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "prlimit64")
    filter.allow("rt_sigaction", "rt_sigprocmask", "rt_sigreturn")
    filter.allow("sigaltstack", "restart_syscall", "exit", "exit_group")
    filter.allow("tgkill", where: .word(0, [UInt32(bitPattern: getpid())]))
    filter.allow("prctl", where: .word(0, [UInt32(PR_SET_NAME), UInt32(PR_GET_NAME)]))
    // Threads, for names.
    filter.allow("clone", where: .exactly(0, [0x3d_0f00]))
    filter.refuse("clone3", Errno(ENOSYS))
    filter.allow("set_robust_list", "rseq", "set_tid_address")
    return filter
  }
}

import CLinux
import Confinement
import Glibc
import Host
import KVM

/// Which system calls a machine's threads make once it is set up, by the parts that it has.
///
/// One list is for the loop, for the threads that serve queues, and for those that come later; a shorter one is for the threads
/// of vCPUs, which are held to both. What a path or a structure in memory asks for a filter does not see: there it is Landlock
/// that decides (``MachineConfinement``).
struct ConfinementPolicy {
  /// For all threads of the process.
  let all: CallFilter
  /// For those of vCPUs, besides.
  let vcpus: CallFilter

  /// What a machine has that takes calls.
  struct Parts {
    var hasTrees = false
    /// Some of what they consist of may be written.
    var hasWritableTrees = false
    /// Files lie in the guest's memory.
    var hasWindows = false
    var hasDisks = false
    var hasTaps = false
    /// There is a PCI bus.
    var isOnBus = false
    /// vCPUs have CPUs of their own.
    var hasAffinity = false
    /// The directories of trees lead nowhere else.
    var isDetached = false
    /// This process's number.
    var process: Int32 = 0
    /// That of the one which keeps its sockets' names.
    var broker: Int32?
    /// Whose root's process becomes.
    var identity: MachineDescription.Identity?
  }

  init(_ parts: Parts) {
    var filter = CallFilter()
    filter.allowProgram(parts)
    filter.allowProcessors(parts)
    vcpus = filter
    filter.allowThreads(parts)
    filter.allowLoop(parts)
    if parts.hasTrees { filter.allowReading() }
    if parts.hasWritableTrees { filter.allowWriting() }
    if parts.hasDisks { filter.allowDisks() }
    if parts.hasTaps {
      filter.allow("ioctl", where: .word(1, [clinux_request_tap_offloads, clinux_request_tap_queue]))
    }
    all = filter
  }
}

extension ConfinementPolicy.Parts {
  /// What root keeps for them.
  var capabilities: Set<Capability> {
    var kept: Set<Capability> = []
    if hasTrees { kept.formUnion([.overrideAccess, .overrideReading, .actAsOwner, .administer]) }
    if hasWritableTrees {
      kept.formUnion([.changeOwner, .keepSetID, .setImmutable, .useReserves, .makeDevices, .setFileCapabilities])
    }
    return kept
  }
}

extension CallFilter {
  /// What the program's own libraries need, whatever it does: memory, locks, time, its end, and the words of its last line
  /// (`CallViolation`).
  fileprivate mutating func allowProgram(_ parts: ConfinementPolicy.Parts) {
    allow("read", "write", "close", "poll", "futex", "exit", "exit_group", "restart_syscall")
    allow("munmap", "mremap", "brk", "madvise", "getrandom", "sched_yield", "sched_getaffinity")
    allow("clock_gettime", "gettimeofday", "clock_nanosleep", "nanosleep", "getpid", "gettid")
    allow("rt_sigreturn", "rt_sigprocmask")
    // Nothing becomes code.
    allow("mmap", where: .without(2, UInt64(PROT_EXEC)))
    allow("mprotect", where: .without(2, UInt64(PROT_EXEC)))
    allow("prctl", where: .word(0, [UInt32(PR_SET_NAME), UInt32(PR_GET_NAME)]))
    allow("tgkill", where: .word(0, [UInt32(bitPattern: parts.process)]))
    // The allocator looks at /proc/sys/vm/overcommit_memory when it first gives memory back, and does well without.
    refuse("openat", Errno(EACCES))
  }

  /// What comes of a guest's accesses on its vCPU's thread: interrupts, notifications, a serial port's output, the reset of
  /// what serves its queues by itself, and zeros in the place of what was cut off a file.
  fileprivate mutating func allowProcessors(_ parts: ConfinementPolicy.Parts) {
    allow("ioctl", where: .word(1, KVMRequests.running + (parts.isOnBus ? KVMRequests.onBus : [])))
    allow("epoll_ctl")
    if parts.hasDisks { allow("io_uring_enter") }
    if parts.hasTrees || parts.hasWindows { allow("inotify_rm_watch") }
    if parts.hasWindows {
      allow("fstat", "newfstatat", "statx", "lseek")
      allow("process_vm_readv", where: .word(0, [UInt32(bitPattern: parts.process)]))
    }
  }

  /// Threads that begin after this, and none that would be a process.
  fileprivate mutating func allowThreads(_ parts: ConfinementPolicy.Parts) {
    // Its flags are in memory. The C library then takes the older call, which has them in a register.
    refuse("clone3", Errno(ENOSYS))
    // CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _SETTLS, _PARENT_SETTID, _CHILD_CLEARTID: pthread_create(3).
    allow("clone", where: .exactly(0, [0x3d_0f00]))
    allow("set_robust_list", "rseq")
    // The C library's own signal for setuid(2), with the first thread.
    allow("rt_sigaction", where: .word(0, [33]))
    // A vCPU's thread takes more from itself (SECCOMP_SET_MODE_FILTER).
    allow("seccomp", where: .word(0, [1]))
    if parts.hasAffinity { allow("sched_setaffinity", where: .word(0, [0])) }
  }

  /// What is open already, and streams that come in.
  fileprivate mutating func allowLoop(_ parts: ConfinementPolicy.Parts) {
    allow("epoll_wait", "epoll_pwait", "eventfd2", "timerfd_create", "timerfd_settime")
    allow("readv", "writev", "recvfrom", "sendto", "recvmsg", "sendmsg", "accept4", "shutdown")
    // The machine's state, to a file that came from the operator.
    allow("ioctl", where: .word(1, KVMRequests.saving))
    allow("pwrite64")
    // What could not be written whole takes no room.
    allow("ftruncate", where: .exactly(1, [0]))
    allowStreamPairs()
    allow(
      "fcntl", where: .word(1, [UInt32(F_GETFD), UInt32(F_GETFL), UInt32(F_SETFL), UInt32(F_DUPFD_CLOEXEC)]))
    allow("fstat", "newfstatat", "lseek")
    if let broker = parts.broker { allow("wait4", where: .word(0, [UInt32(bitPattern: broker)])) }
  }

  /// Trees, of which nothing changes.
  fileprivate mutating func allowReading() {
    allow("getuid", "geteuid", "getgid", "getegid")
    allow("openat2", "statx", "readlinkat", "fstatfs", "getdents64", "pread64", "preadv", "preadv2")
    // Opening anew by way of /proc what is open by O_PATH; no name is made by it.
    allow("openat", where: .without(2, UInt64(O_CREAT)))
    allow("getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr")
    allow("fsync", "fdatasync", "syncfs", "sync_file_range", "inotify_add_watch", "inotify_rm_watch")
    allow(
      "ioctl",
      where: .word(
        1,
        [
          clinux_request_get_flags, clinux_request_get_version, clinux_request_get_attributes,
          clinux_request_measure_verity,
        ]))
  }

  /// Trees that the guest writes to.
  fileprivate mutating func allowWriting() {
    allow("mkdirat", "mknodat", "symlinkat", "linkat", "unlinkat", "renameat", "renameat2")
    allow("fchownat", "fchown", "fchmodat2", "fchmodat", "fchmod", "chmod", "utimensat")
    allow("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr")
    // Directories, for what is recorded in them.
    allow("flock")
    allow("ftruncate", "fallocate", "pwrite64", "pwritev", "pwritev2", "copy_file_range")
    allow(
      "ioctl",
      where: .word(
        1,
        [
          clinux_request_set_flags, clinux_request_set_attributes, clinux_request_enable_verity, clinux_request_clone,
        ]))
  }

  /// Files that are open. Their rings were made before, and do no more than they were made for (IORing).
  fileprivate mutating func allowDisks() {
    allow("preadv2", "preadv", "pread64", "pwritev2", "pwritev", "pwrite64", "fdatasync", "fsync", "fallocate")
    allow("ftruncate", "io_uring_enter")
  }
}

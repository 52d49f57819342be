import CGuest

/// The file systems that every tree expects and no directory of the host can give it.
enum StandardMounts {
  private struct Entry {
    let type: Bytes
    let path: Bytes
    var flags = MS_NOSUID | MS_NODEV
    var options: Bytes = []
    /// A kernel may be without it.
    var isOptional = false
  }

  private static func kernelView(_ type: Bytes, _ path: Bytes, _ options: Bytes = []) -> Entry {
    Entry(
      type: type, path: path, flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, options: options, isOptional: true)
  }

  /// Mounts what the initramfs needs, and the tree takes over: devices, processes, the system.
  static func mountEarly() {
    mount([
      Entry(type: "devtmpfs", path: "/dev", flags: MS_NOSUID, options: "mode=0755"),
      Entry(type: "proc", path: "/proc", flags: MS_NOSUID | MS_NODEV | MS_NOEXEC),
      Entry(type: "sysfs", path: "/sys", flags: MS_NOSUID | MS_NODEV | MS_NOEXEC),
      // Here, since each of its mounts asks for a module (kernel/bpf/inode.c, populate_bpffs): in the tree there is a modprobe,
      // which takes its time to find none.
      kernelView("bpf", "/sys/fs/bpf", "mode=0700"),
    ])
  }

  /// Mounts the rest in the tree. What it keeps for itself (`novm.keep=`) is left alone.
  static func mountInTree(_ arguments: KernelArguments) {
    let terminals = Accounts.ofTree().terminalGroup.map { ",gid=" + Bytes(decimal: Int($0)) } ?? []
    mount(
      [
        Entry(
          type: "devpts", path: "/dev/pts", flags: MS_NOSUID | MS_NOEXEC,
          options: "mode=0620,ptmxmode=0666" + terminals),
        Entry(type: "tmpfs", path: "/dev/shm", options: "mode=1777"),
        Entry(type: "mqueue", path: "/dev/mqueue", flags: MS_NOSUID | MS_NODEV | MS_NOEXEC, isOptional: true),
        Entry(type: "tmpfs", path: "/run", options: "mode=0755"),
        Entry(type: "tmpfs", path: "/tmp", options: "mode=1777"),
        kernelView("cgroup2", "/sys/fs/cgroup"), kernelView("debugfs", "/sys/kernel/debug"),
        kernelView("tracefs", "/sys/kernel/tracing"),
      ].filter {
        // An init of the tree's mounts what is in /sys with options of its own.
        !arguments.keeps($0.path) && (arguments.ownInit.isEmpty || !$0.path.starts(with: "/sys" as Bytes))
      })
    link()
  }

  /// Mounts what the user wants to be in memory.
  static func mountTemporary(_ arguments: KernelArguments) {
    mount(arguments.temporaries.map { Entry(type: "tmpfs", path: $0.path, options: $0.options) })
  }

  private static func mount(_ entries: [Entry]) {
    for entry in entries {
      do throws(SystemError) {
        // A directory that cannot be made may be there; mount(2) knows.
        try? Files.makeDirectory(entry.path)
        try Mount.attach(
          entry.type, at: entry.path, type: entry.type, flags: Int32(entry.flags), data: entry.options)
      } catch {
        if entry.isOptional && (error.number == ENODEV || error == .noEntry) { continue }
        Log.error("cannot mount " + entry.type + " on " + entry.path + ": " + error.text)
      }
    }
  }

  /// What shells and scripts take for granted besides mounts.
  private static func link() {
    try? Files.makeSymlink("/dev/fd", to: "/proc/self/fd")
    try? Files.makeSymlink("/dev/stdin", to: "/proc/self/fd/0")
    try? Files.makeSymlink("/dev/stdout", to: "/proc/self/fd/1")
    try? Files.makeSymlink("/dev/stderr", to: "/proc/self/fd/2")
    // Where /var/lock leads in most trees; anybody may lock.
    try? Files.makeDirectory("/run/lock")
    try? Files.setMode("/run/lock", 0o1777)
  }
}

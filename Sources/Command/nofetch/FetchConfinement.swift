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
    try ProcessPrivileges.keepCapabilities([])
    if Landlock.version >= Landlock.leastVersion {
      let landlock = try Landlock(forbidsNetwork: false)
      for path in readable {
        guard let opened = try? FileDescriptor.open(Path(path), OpenFlags.path),
          let status = try? FileCalls.status(opened.raw)
        else { continue }
        try landlock.allow(status.isDirectory ? .reading : .readFile, beneath: opened.raw)
      }
      try landlock.apply()
    }
    if CallFilter.isAvailable { try filter.apply() }
  }

  /// Name servers, certificates of authorities, configurations of TLS, modules of the C library's, and what there are of
  /// processors. As root this program could read more of /etc than anybody should tell a server.
  private static let readable = [
    "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services",
    "/etc/protocols", "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/pki/ca-trust", "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf", "/etc/gnutls", "/etc/crypto-policies", "/var/lib/ca-certificates",
    "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager", "/usr", "/lib", "/lib64", "/proc/self",
    "/sys/devices/system/cpu", "/nix/store",
  ]

  /// Another distribution's libcurl may call something else; that fails, and libraries know what to do then.
  private static var filter: CallFilter {
    var filter = CallFilter(otherwise: Errno(EPERM))
    filter.allow("read", "readv", "pread64", "write", "writev")
    filter.allow("pwrite64", "lseek", "ftruncate", "close", "dup")
    filter.allowDescriptorFlags()
    filter.allow("stat", "lstat", "fstat", "newfstatat", "statx")
    filter.allow("access", "faccessat", "faccessat2", "fstatfs", "statfs")
    filter.allow("readlink", "readlinkat", "getdents64", "getcwd")
    filter.allow("openat", where: .without(2, UInt64(O_ACCMODE | O_CREAT)))
    filter.allow("open", where: .without(1, UInt64(O_ACCMODE | O_CREAT)))
    filter.allow("poll", "ppoll", "select", "pselect6")
    filter.allow("epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "eventfd2")
    filter.allow("pipe2", "connect", "bind", "shutdown", "getsockname", "getpeername", "getsockopt")
    filter.allow("setsockopt", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg")
    // No Unix sockets: they lead to the host's services. Where names come by one (nscd, systemd-resolved), DNS is next.
    filter.allow("socket", where: .word(0, [UInt32(AF_INET), UInt32(AF_INET6), UInt32(AF_NETLINK)]))
    // Within libcurl.
    filter.allowStreamPairs()
    // FIONREAD, FIONBIO.
    filter.allow("ioctl", where: .word(1, [0x541b, 0x5421]))
    filter.allowRuntime()
    // Modules of the C library's are code, which nothing else becomes.
    for call in ["mmap", "mprotect"] as [SystemCall] {
      filter.allow(call, where: .without(2, UInt64(PROT_EXEC)))
      filter.allow(call, where: .without(2, UInt64(PROT_WRITE)))
    }
    filter.allow("prctl", where: .word(0, [UInt32(PR_SET_NAME), UInt32(PR_GET_NAME)]))
    // Threads, for names.
    filter.allow("clone", where: .exactly(0, [0x3d_0f00]))
    filter.refuse("clone3", Errno(ENOSYS))
    return filter
  }
}

import Confinement
import Glibc
import Host
import Packs

/// What is left to the process that decodes a layer, once it begins to read: the pack store, its pipes, and no network, no other
/// files and no programs. A host that has no Landlock or no filters does without.
enum DecoderConfinement {
  /// - Parameter store: the pack store's directory, which must be there.
  static func apply(store: String) throws(Errno) {
    // Its files could not be opened later.
    TarReader.useUTF8()
    try ProcessPrivileges.renounce()
    try ProcessPrivileges.hideMemory()
    // Symlinks' owners and any modes. Devices and capabilities are records in a pack, and no privileges.
    if ProcessPrivileges.isRoot {
      try ProcessPrivileges.keepCapabilities([
        .changeOwner, .overrideAccess, .overrideReading, .actAsOwner, .useReserves,
      ])
    }
    if Landlock.version >= Landlock.leastVersion {
      let landlock = try Landlock()
      let directory = try FileDescriptor.open(Path(store), OpenFlags.directoryPath)
      try landlock.allow(.writing, beneath: directory.raw)
      try landlock.apply()
    }
    if CallFilter.isAvailable { try filter.apply() }
  }

  private static var filter: CallFilter {
    var filter = CallFilter(otherwise: Errno(EPERM))
    filter.allow("read", "readv", "pread64", "write", "writev", "pwrite64")
    filter.allow("lseek", "ftruncate", "fallocate", "copy_file_range", "close", "fcntl", "dup", "flock")
    filter.allow("fsync", "fdatasync", "syncfs")
    filter.allow("open", "openat", "openat2", "mkdir", "mkdirat", "rmdir", "unlink")
    filter.allow("unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink")
    filter.allow("symlinkat", "umask")
    // No device but 0:0, the whiteout, which is none.
    filter.allow("mknod", where: .word(2, [0]))
    filter.allow("mknodat", where: .word(3, [0]))
    filter.allow("stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat")
    filter.allow("faccessat2", "fstatfs", "statfs", "readlink", "readlinkat", "getdents64", "getcwd")
    filter.allow("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utimensat")
    filter.allow("setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr")
    filter.allow("listxattr", "llistxattr", "flistxattr", "removexattr", "lremovexattr", "fremovexattr")
    // FICLONE.
    filter.allow("ioctl", where: .word(1, [0x4004_9409]))
    filter.allow("poll", "ppoll")
    filter.allowRuntime()
    for call in ["mmap", "mprotect"] as [SystemCall] { filter.allow(call, where: .without(2, UInt64(PROT_EXEC))) }
    return filter
  }
}

import Confinement
import Glibc
import Host
import Packs

/// What is left to the process that decodes a layer, once it begins to read: the pack store, its pipes, and no network, no other
/// files and no programs. A host that has no Landlock or no filters does without.
enum DecoderConfinement {
  /// No list of calls sees what a path leads to, and Landlock does not ask who changes modes, owners and attributes: as root,
  /// where the host lets it, the process leaves all other files behind.
  ///
  /// - Parameter store: the pack store's directory, which must be there.
  /// - Returns: where it is from now on.
  static func apply(store: String) throws(Errno) -> String {
    // Its files could not be opened later.
    TarReader.useUTF8()
    try ProcessPrivileges.renounce()
    try ProcessPrivileges.hideMemory()
    // Symlinks' owners and any modes. Devices and capabilities are records in a pack, and no privileges.
    var place = store
    if ProcessPrivileges.isRoot {
      // In a container root may not; what was entered half is no way out.
      if let kept = (try? DetachedTree(of: Path(store), isReadOnly: false))?.keep() {
        place = String(decoding: kept.bytes, as: UTF8.self)
        try? EmptyRoot.enter()
      }
      try ProcessPrivileges.keepCapabilities([
        .changeOwner, .overrideAccess, .overrideReading, .actAsOwner, .useReserves,
      ])
    }
    if Landlock.version >= Landlock.leastVersion {
      let landlock = try Landlock()
      let directory = try FileDescriptor.open(Path(place), OpenFlags.directoryPath)
      try landlock.allow(.writing, beneath: directory.raw)
      try landlock.apply()
    }
    if CallFilter.isAvailable { try filter.apply() }
    return place
  }

  private static var filter: CallFilter {
    var filter = CallFilter(otherwise: Errno(EPERM))
    filter.allow("read", "readv", "pread64", "write", "writev", "pwrite64")
    filter.allow("lseek", "ftruncate", "fallocate", "copy_file_range", "close", "dup", "flock")
    filter.allowDescriptorFlags()
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

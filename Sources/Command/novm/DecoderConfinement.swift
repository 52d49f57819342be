import Confinement
import Glibc
import Host
import Novm
import Packs

/// What is left to a process that decodes what strangers send, layers, packs and images, once it begins to read: the stores that they
/// go into, what is open, and no network, no other files and no programs. A host that has no Landlock or no filters does without.
enum DecoderConfinement {
  /// Confines this process for good, and runs `body`, whose errors name files as people know them.
  ///
  /// - Parameters:
  ///   - stores: directories that are written to; made where there are none.
  ///   - inputs: directories that are read, too.
  static func decode(
    into stores: [String], reading inputs: [String] = [], _ body: (ConfinedPlaces) throws -> Void
  ) throws {
    let places: ConfinedPlaces
    do {
      for store in stores { try Names.makeDirectories(store) }
      places = try apply(writing: stores, reading: inputs)
    } catch let error as Errno {
      var failure = CommandFailure("what reads the archive cannot be confined: \(error.description)")
      failure.cause = Failure(any: error)
      throw failure
    }
    do {
      try body(places)
    } catch {
      guard let failure = CommandFailure(error) else { throw error }
      var told = CommandFailure(places.told(failure.message), exitStatus: failure.exitStatus)
      var cause = failure.cause ?? Failure(any: error)
      cause.subject = places.told(cause.subject)
      told.cause = cause
      throw told
    }
  }

  /// No list of calls sees what a path leads to, and Landlock does not ask who changes modes, owners and attributes: where the
  /// host lets it, the process leaves all other files behind, as an ordinary user's by a user namespace. In a store no file is
  /// another user's, so that it hides nothing there.
  ///
  /// - Parameters:
  ///   - stores: directories that are written to, which must be there.
  ///   - inputs: directories that are read.
  /// - Returns: where they are from now on.
  static func apply(writing stores: [String], reading inputs: [String] = []) throws(Errno) -> ConfinedPlaces {
    // Its files could not be opened later.
    TarReader.useUTF8()
    let isRoot = ProcessPrivileges.isRoot
    try ProcessPrivileges.renounce()
    if !isRoot { try? OwnUserNamespace.enter() }
    try ProcessPrivileges.hideMemory()
    var places = ConfinedPlaces()
    // In a container it may not; what was entered half is no way out.
    if let kept = try? detached(stores, inputs) {
      places = kept
      try? EmptyRoot.enter()
    }
    // Symlinks' owners and any modes. Devices and capabilities are records in a pack, and no privileges.
    try ProcessPrivileges.keepCapabilities(
      isRoot ? [.changeOwner, .overrideAccess, .overrideReading, .actAsOwner, .useReserves] : [])
    if Landlock.version >= Landlock.leastVersion {
      let landlock = try Landlock()
      for path in stores + inputs {
        let directory = try FileDescriptor.open(Path(places[path]), OpenFlags.directoryPath)
        try landlock.allow(stores.contains(path) ? .writing : .reading, beneath: directory.raw)
      }
      try landlock.apply()
    }
    if CallFilter.isAvailable { try filter.apply() }
    return places
  }

  private static func detached(_ stores: [String], _ inputs: [String]) throws(Errno) -> ConfinedPlaces {
    var places = ConfinedPlaces()
    for path in stores + inputs {
      let kept = try DetachedTree(of: Path(path), isReadOnly: !stores.contains(path)).keep()
      places[path] = String(decoding: kept.bytes, as: UTF8.self)
    }
    return places
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
    // FICLONE; TCGETS, by which it asks whether it tells its progress to a terminal.
    filter.allow("ioctl", where: .word(1, [0x4004_9409, 0x5401]))
    filter.allow("poll", "ppoll")
    filter.allowRuntime()
    for call in ["mmap", "mprotect"] as [SystemCall] { filter.allow(call, where: .without(2, UInt64(PROT_EXEC))) }
    return filter
  }
}

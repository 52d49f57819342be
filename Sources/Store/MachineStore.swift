import CLinux
import Glibc
import Host

/// The directories of machines: one for each, named by its identifier.
///
///     MACHINES/.lock        held while a machine's directory is made, or stale ones are looked for
///     MACHINES/ID/lock      locked (flock(2)) by `novm` and `novmm` for as long as either lives
///     MACHINES/ID/runtime   a symbolic link to where the machine's sockets are
///     MACHINES/ID/root      what the guest writes, unless it writes elsewhere
///     MACHINES/ID/keep      there when the directory outlives its processes
///     MACHINES/.gone-ID     on its way out
///
/// Nothing needs a daemon: the lock is released by the kernel however its holders end, so a directory that nobody has
/// locked and nobody asked to keep is left over, and the next command removes it.
package struct MachineStore: Sendable {
  package let directory: String
  /// Where sockets go, a directory for each machine.
  package let runtime: String

  package init(directory: String, runtime: String) {
    self.directory = directory
    self.runtime = runtime
  }

  /// Makes a machine's directory and locks it.
  package func create() throws(StoreError) -> MachineDirectory {
    try Directories.make(directory, mode: 0o700)
    try Directories.make(runtime, mode: 0o700)
    try Directories.requirePrivate(runtime)
    let guardian = try lockStore()
    defer { _ = guardian.raw }
    while true {
      let identifier = Self.newIdentifier()
      let path = "\(directory)/\(identifier)"
      guard unsafe mkdir(path, 0o700) == 0 else {
        if Errno.current == Errno(EEXIST) { continue }
        throw .system(operation: .create, path: path, .current)
      }
      return try MachineDirectory(identifier: identifier, path: path, runtime: "\(runtime)/\(identifier)")
    }
  }

  /// Removes what machines left behind whose processes were killed.
  ///
  /// - Returns: the identifiers of the machines that are gone.
  @discardableResult
  package func removeStale() throws(StoreError) -> [String] {
    guard unsafe access(directory, F_OK) == 0 else { return [] }
    var stale: [String] = []
    do {
      let guardian = try lockStore()
      defer { _ = guardian.raw }
      for name in try Directories.names(directory) where !name.hasPrefix(".") {
        let path = "\(directory)/\(name)"
        if unsafe access("\(path)/keep", F_OK) == 0 || MachineDirectory.isAlive(path) { continue }
        guard unsafe rename(path, "\(directory)/\(Self.gonePrefix)\(name)") == 0 else {
          // Its own machine may have removed it since it was listed.
          if Errno.current == Errno(ENOENT) { continue }
          throw .system(operation: .rename, path: path, .current)
        }
        stale.append(name)
      }
    }
    // The slow part is done without the lock: two commands may well remove the same tree together.
    for name in try Directories.names(directory) where name.hasPrefix(Self.gonePrefix) {
      try MachineDirectory.removeTree("\(directory)/\(name)", identifier: String(name.dropFirst(Self.gonePrefix.count)))
    }
    return stale
  }

  static let gonePrefix = ".gone-"

  /// Serialises making and sweeping, so that a directory is never seen before it is locked.
  private func lockStore() throws(StoreError) -> FileDescriptor {
    let path = "\(directory)/.lock"
    do throws(Errno) {
      let file = try FileDescriptor.open(path, O_RDWR | O_CREAT, mode: 0o600)
      let number = file.raw
      try retryingInterrupts { flock(number, LOCK_EX) }
      return file
    } catch {
      throw .system(operation: .lock, path: path, error)
    }
  }

  /// Twelve hexadecimal digits, as `docker ps` shows.
  private static func newIdentifier() -> String {
    let digits = String(UInt64.random(in: 0..<1 << 48), radix: 16)
    return String(repeating: "0", count: 12 - digits.count) + digits
  }
}

import CLinux
import Glibc
import Host

/// One machine's place on disk, locked for as long as this value lives.
package final class MachineDirectory {
  package let identifier: String
  /// What people call it; its identifier if they gave it no name.
  package let name: String
  package let path: String
  /// Where its sockets are: short enough for a Unix socket's address, and private to the user.
  package let runtime: String
  private let lock: FileDescriptor
  private var isRemoved = false

  /// Fills a directory that was just made, with the store's lock held.
  ///
  /// - Parameter definition: what to keep as `machine.json`; a machine without one does not outlive its processes.
  init(
    identifier: String, name: String?, path: String, runtime: String, definition: [UInt8]?, isKept: Bool
  ) throws(StoreError) {
    self.identifier = identifier
    self.name = name ?? identifier
    self.path = path
    self.runtime = runtime
    lock = try Self.lock(path)
    // The link goes first: whoever finds the directory must be able to find the sockets.
    guard unsafe symlink(runtime, "\(path)/runtime") == 0 else {
      throw .system(operation: .link, path: "\(path)/runtime", .current)
    }
    for made in [runtime, root] {
      guard unsafe mkdir(made, 0o700) == 0 else { throw .system(operation: .create, path: made, .current) }
    }
    // The guest sees this directory's own attributes as those of its `/`.
    guard unsafe chmod(root, 0o755) == 0 else { throw .system(operation: .create, path: root, .current) }
    if let name { try Directories.write(Array(name.utf8), to: "\(path)/name") }
    if let definition { try Directories.write(definition, to: self.definition) }
    // Last: a machine that is kept is whole.
    if isKept { try Directories.write([], to: "\(path)/\(MachineStore.keepName)") }
  }

  /// Locks a directory that is there, with the store's lock held, and makes a new place for its sockets.
  init(opening record: MachineRecord, runtime: String) throws(StoreError) {
    identifier = record.identifier
    name = record.name
    path = record.path
    self.runtime = runtime
    lock = try Self.lock(path)
    if let old = Directories.linkTarget("\(path)/runtime"), old.hasSuffix("/\(identifier)") {
      try TreeRemoval.remove(old)
    }
    let link = "\(path)/runtime"
    guard unsafe unlink(link) == 0 || Errno.current == Errno(ENOENT), unsafe symlink(runtime, link) == 0 else {
      throw .system(operation: .link, path: link, .current)
    }
    guard unsafe mkdir(runtime, 0o700) == 0 else { throw .system(operation: .create, path: runtime, .current) }
  }

  /// Takes over a directory whose lock another process left us as an open descriptor.
  package init(adopting record: MachineRecord, lock: consuming FileDescriptor) throws(StoreError) {
    guard let runtime = record.runtime else {
      throw .system(operation: .open, path: "\(record.path)/runtime", Errno(ENOENT))
    }
    identifier = record.identifier
    name = record.name
    path = record.path
    self.runtime = runtime
    self.lock = lock
  }

  /// The content of one of its files; nil if it is not there.
  package func read(_ file: String) -> [UInt8]? { Directories.read("\(path)/\(file)") }

  /// Replaces one of its files, so that a reader sees all of it or what was there before.
  package func write(_ content: [UInt8], to file: String) throws(StoreError) {
    try Directories.replace("\(path)/\(file)", with: content)
  }

  private static func lock(_ path: String) throws(StoreError) -> FileDescriptor {
    do throws(Errno) {
      let lock = try FileDescriptor.open("\(path)/lock", O_RDWR | O_CREAT, mode: 0o600)
      try checked(flock(lock.raw, LOCK_EX | LOCK_NB))
      return lock
    } catch {
      throw .system(operation: .lock, path: "\(path)/lock", error)
    }
  }

  /// The directory for the guest's writes.
  package var root: String { "\(path)/root" }

  /// The directory for volumes that are the machine's alone, and go with it.
  package var volumes: String { "\(path)/volumes" }

  /// What the machine is, in the words of who made it.
  package var definition: String { "\(path)/machine.json" }

  /// The Unix socket that stands for the guest's vsock.
  package var vsock: String { "\(runtime)/vsock" }

  /// The Unix socket by which its monitor takes orders.
  package var control: String { "\(runtime)/control" }

  /// The Unix socket for who attaches to its command.
  package var attach: String { "\(runtime)/attach" }

  /// As a reader finds it.
  package var record: MachineRecord {
    MachineRecord(identifier: identifier, name: name, path: path, runtime: runtime, isAlive: true)
  }

  /// For a child process to hold, so that the machine counts as alive until that has ended too.
  package var lockDescriptor: Int32 { lock.raw }

  /// From now on the machine's layers are as they should be.
  package func renewBaseline() throws(StoreError) {
    do throws(Errno) {
      try FileCalls.changeTimes(lock.raw, accessed: .keep, modified: .now)
    } catch {
      throw .system(operation: .write, path: "\(path)/lock", error)
    }
  }

  /// Removes what the guest wrote here.
  package func discardWrites() throws(StoreError) {
    try TreeRemoval.remove(root)
    guard unsafe mkdir(root, 0o700) == 0, unsafe chmod(root, 0o755) == 0 else {
      throw .system(operation: .create, path: root, .current)
    }
  }

  /// Removes the directory and the sockets.
  package func remove() throws(StoreError) {
    guard !isRemoved else { return }
    isRemoved = true
    // Out of sight at once: a directory half removed looks like one that was left behind.
    let gone = "\(path.dropLast(identifier.count))\(MachineStore.gonePrefix)\(identifier)"
    guard unsafe rename(path, gone) == 0 else { throw .system(operation: .rename, path: path, .current) }
    try Self.removeTree(gone, identifier: identifier)
  }

  /// Whether some process holds the lock of the machine in this directory.
  static func isAlive(_ path: String) -> Bool {
    guard let file = try? FileDescriptor.open("\(path)/lock", O_RDWR) else { return false }
    return flock(file.raw, LOCK_EX | LOCK_NB) != 0
  }

  /// Removes a machine's directory and, before it, the directory of sockets that its link names.
  static func removeTree(_ path: String, identifier: String) throws(StoreError) {
    if let runtime = Directories.linkTarget("\(path)/runtime"), runtime.hasSuffix("/\(identifier)") {
      try TreeRemoval.remove(runtime)
    }
    try TreeRemoval.remove(path)
  }
}

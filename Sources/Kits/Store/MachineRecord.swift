import Host

/// A machine as it was when the store was looked through.
package struct MachineRecord: Equatable, Sendable {
  package let identifier: String
  /// What people call it; its identifier if they gave it no name.
  package let name: String
  package let path: String
  /// Where its sockets are, or were.
  package let runtime: String?
  /// Whether one of its processes lives.
  package let isAlive: Bool

  /// The content of one of its files; nil if it is not there.
  package func read(_ file: String) -> [UInt8]? { Directories.read("\(path)/\(file)") }

  /// Replaces one of its files, so that a reader sees all of it or what was there before.
  package func write(_ content: [UInt8], to file: String) throws(StoreError) {
    try Directories.replace("\(path)/\(file)", with: content)
  }

  /// Since when the directories that the machine reads should be as they were: since it was made, or since what it wrote was
  /// last brought back to them. Kept as the time of the lock, which nobody writes to.
  package var baseline: FileTime? {
    guard let lock = try? FileDescriptor.open("\(path)/lock", OpenFlags.path) else { return nil }
    return try? FileCalls.status(lock.raw).modified
  }
}

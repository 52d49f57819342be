import Host

/// A directory beside a write map's content in which files are made before they appear at their place.
///
/// It lies in the map's root under a name that the guest never sees, is made when first needed, removed when the tree is
/// closed, and, if a machine was killed, when the next one starts.
final class WorkDirectory {
  static let name = [UInt8](".novm.work\0".utf8)

  private let layerRoot: SharedDescriptor
  private let lock = Lock()
  private var descriptor: SharedDescriptor?
  private var serial: UInt64 = 0

  init(layerRoot: SharedDescriptor) { self.layerRoot = layerRoot }

  /// The directory, made and emptied if need be.
  func open() throws(Errno) -> SharedDescriptor {
    try lock.withLock { () throws(Errno) -> SharedDescriptor in
      if let descriptor { return descriptor }
      do throws(Errno) {
        try FileCalls.makeDirectory(layerRoot.raw, WorkDirectory.name.span, mode: 0o700)
      } catch {
        guard error == .exists else { throw error }
      }
      let opened = SharedDescriptor(
        try FileCalls.openBeneath(layerRoot.raw, WorkDirectory.name.span, OpenFlags.directory))
      try? DirectoryReader.removeContents(opened)
      descriptor = opened
      return opened
    }
  }

  /// Removes what a killed machine left.
  func removeLeftovers() {
    lock.withLock {
      let name = WorkDirectory.name
      guard descriptor == nil,
        let left = try? FileCalls.openBeneath(layerRoot.raw, name.span, OpenFlags.directory)
      else { return }
      try? DirectoryReader.removeContents(SharedDescriptor(left))
      try? FileCalls.remove(layerRoot.raw, name.span, isDirectory: true)
    }
  }

  /// A name that nothing in the directory has, with its NUL.
  func temporaryName() -> [UInt8] {
    let number = lock.withLock { () -> UInt64 in
      serial &+= 1
      return serial
    }
    return [UInt8]("\(number)\0".utf8)
  }

  /// Removes a directory and all in it that was moved here.
  func discardDirectory(_ name: [UInt8]) {
    guard let work = try? open() else { return }
    if let doomed = try? FileCalls.openBeneath(work.raw, name.span, OpenFlags.directory) {
      try? DirectoryReader.removeContents(SharedDescriptor(doomed))
    }
    try? FileCalls.remove(work.raw, name.span, isDirectory: true)
  }

  /// Leaves nothing behind.
  func close() {
    lock.withLock {
      guard let opened = descriptor else { return }
      try? DirectoryReader.removeContents(opened)
      try? FileCalls.remove(layerRoot.raw, WorkDirectory.name.span, isDirectory: true)
      descriptor = nil
    }
  }
}
